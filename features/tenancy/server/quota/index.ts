export { guardQuotas } from './quota-guard.ts'
export { Quotas } from './quotas.ts'
