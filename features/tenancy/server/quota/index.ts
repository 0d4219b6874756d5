export { QuotaExceeded } from './quota-book.ts'
export { Quotas, resourceQuotaLabels, resourceQuotaName } from './quotas.ts'
export type { QuotasDeps } from './quotas.ts'
