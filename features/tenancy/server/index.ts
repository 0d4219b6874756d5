export { guardQuotas, Quotas } from './quota/index.ts'
