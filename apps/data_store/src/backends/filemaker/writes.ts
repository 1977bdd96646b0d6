import type { Operation, RecordData, StoredRecord } from '../../backend.ts'
import type { Step } from './all-or-none.ts'
import type { FileMakerRecord } from './answer.ts'
import { exactly } from './criterion.ts'
import type { DataApi, FieldData } from './data-api.ts'
import { CODE, hasCode } from './fault.ts'
import { deletedKey, FIELD, ownerKey, toFields, withoutKept } from './row.ts'
import type { Deletable, KeptRecord } from './row.ts'

/** A record that was made, with the id that FileMaker gave it. */
export interface Made {
  record: StoredRecord
  recordId: string
}

/** More than there will ever be of one id. */
const LIKE_IT = 100

/** The single steps of writes, each with how it is taken back. */
export function createWrites(api: DataApi) {
  /** Puts fields back as they were, if they are still what was written. */
  const restore = (layout: string, before: FileMakerRecord, written: FieldData) => async () => {
    const current = await api.get(layout, before.recordId)
    if (!current || !says(current, written)) return false
    const fields: FieldData = {}
    for (const name of Object.keys(written)) {
      const value = before.fieldData[name]
      fields[name] = typeof value === 'number' || typeof value === 'string' ? value : ''
    }
    await api.edit(layout, before.recordId, fields, current.modId)
    return true
  }

  return {
    async insert(
      step: Step,
      operation: Operation,
      { id, data }: { id: string; data: RecordData },
    ): Promise<Made> {
      const { collection, owner } = operation
      const layout = collection.table
      const key = ownerKey(operation)
      const now = new Date().toISOString()
      const fields = {
        ...toFields(collection, data, now),
        ...{ [FIELD.owner]: key, [FIELD.id]: id, [FIELD.createdAt]: now },
      }
      const answered: { recordId?: string } = {}
      const takeBack = async () => {
        if (answered.recordId !== undefined) {
          await removeIfThere(layout, answered.recordId)
          return true
        }
        // An answer that did not come says nothing of what was done.
        const same = { [FIELD.owner]: exactly(key), [FIELD.id]: exactly(id) }
        const candidates = await api.find(layout, [same], { offset: 1, limit: LIKE_IT })
        const found = candidates.filter((kept) => says(kept, fields))
        for (const { recordId } of found) await removeIfThere(layout, recordId)
        return found.length > 0
      }
      const made = await step(() => api.create(layout, fields), takeBack)
      const { recordId } = Object.assign(answered, made)
      const version = Number(made.modId) + 1
      return { record: { id, data, version, owner, created_at: now, updated_at: now }, recordId }
    },

    /** @throws FileMakerFault 306 when it has changed, 101 when it is gone */
    async replace(
      step: Step,
      { collection }: Operation,
      current: KeptRecord,
      data: RecordData,
    ): Promise<StoredRecord> {
      const { kept } = current
      const now = new Date().toISOString()
      const fields = toFields(collection, data, now)
      const modId = await step(
        () => api.edit(collection.table, kept.recordId, fields, kept.modId),
        restore(collection.table, kept, fields),
      )
      return { ...withoutKept(current), data, version: Number(modId) + 1, updated_at: now }
    },

    /**
     * Takes it from its owner: from now on it is there for nobody, and can still be given back. The Data API deletes whatever is
     * there; this fails when it is not what was read. @throws as `replace`
     */
    async disown(step: Step, operation: Operation, { kept }: Deletable): Promise<void> {
      const layout = operation.collection.table
      const fields = {
        [FIELD.owner]: deletedKey(ownerKey(operation)),
        [FIELD.updatedAt]: new Date().toISOString(),
      }
      await step(() => api.edit(layout, kept.recordId, fields, kept.modId), restore(layout, kept, fields))
    },

    remove: ({ collection }: Operation, { kept }: Deletable) =>
      removeIfThere(collection.table, kept.recordId),
  }

  async function removeIfThere(layout: string, recordId: string): Promise<void> {
    try {
      await api.remove(layout, recordId)
    } catch (error) {
      if (!hasCode(error, CODE.recordMissing)) throw error
    }
  }
}

/** Whether the record has what was written; fields of members aside, in which FileMaker may put it otherwise. */
function says({ fieldData }: FileMakerRecord, written: FieldData): boolean {
  return Object.values(FIELD).every(
    (name) => written[name] === undefined || fieldData[name] === written[name],
  )
}
