import { ATTRIBUTE, withSpan } from '@waybill/telemetry'
import type { SpanName } from '@waybill/telemetry'
import type { Backend, Operation } from '../backend.ts'

/** The backend with a span around each operation, which has the same name in every backend: `create`, `update_many`, ... */
export function traced(backend: Backend, span: SpanName, system: string): Backend {
  function within<T>(name: string, { collection }: Operation, work: () => Promise<T>): Promise<T> {
    const attributes = {
      [ATTRIBUTE.system]: system,
      [ATTRIBUTE.operation]: name,
      [ATTRIBUTE.collection]: collection.name,
    }
    return withSpan(span, attributes, work)
  }

  const search = backend.search?.bind(backend)
  return {
    auditsWrites: backend.auditsWrites,
    searchModes: backend.searchModes,
    create: (operation, records, options) =>
      within('create', operation, () => backend.create(operation, records, options)),
    read: (operation, id) => within('read', operation, () => backend.read(operation, id)),
    find: (operation, query) => within('find', operation, () => backend.find(operation, query)),
    count: (operation, filter, mode) =>
      within('count', operation, () => backend.count(operation, filter, mode)),
    update: (operation, id, change) =>
      within('update', operation, () => backend.update(operation, id, change)),
    updateMany: (operation, filter, change, most) =>
      within('update_many', operation, () => backend.updateMany(operation, filter, change, most)),
    delete: (operation, id, permit) =>
      within('delete', operation, () => backend.delete(operation, id, permit)),
    deleteMany: (operation, filter, most) =>
      within('delete_many', operation, () => backend.deleteMany(operation, filter, most)),
    ...(search && {
      search: (operation, request) => within('search', operation, () => search(operation, request)),
    }),
  }
}
