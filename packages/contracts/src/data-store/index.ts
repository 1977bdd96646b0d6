/**
 * data_store: records by collection, in one of several backends. Whose a record is comes from the credential alone; nobody
 * sees or touches another's. Structural rules only; the limits in bytes, of depth and of a vector's length are settings of
 * the service.
 */
export { auditedResource, auditRow, listAudit } from './audit.ts'
export type { AuditRow } from './audit.ts'
export { backend, collection, listBackends, ownerScope } from './backends.ts'
export {
  countMode,
  FILTER_CEILING,
  FILTER_MAX_DEPTH,
  fieldName,
  filter,
  orderTerm,
  PLANNED_COUNT_CEILING,
} from './filter.ts'
export type { Comparison, Filter, Scalar } from './filter.ts'
export { backendName, collectionName, recordId } from './names.ts'
export { record } from './record.ts'
export { recordData } from './record-data.ts'
export type { Record } from './record.ts'
export * from './records.ts'
export { scoredRecord, searchMode, searchRecords } from './search.ts'
export type { ScoredRecord } from './search.ts'
