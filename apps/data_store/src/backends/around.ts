import type { Backend, Operation } from '../backend.ts'

/** Runs `work`, which is the operation of that name; it is the same in every backend: `create`, `update_many`, ... */
export type Within = <T>(name: string, operation: Operation, work: () => Promise<T>) => Promise<T>

/** The backend with `within` around each operation. */
export function around(backend: Backend, within: Within): Backend {
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
