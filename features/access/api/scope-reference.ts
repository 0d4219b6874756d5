import { s } from '@gantry/clusters/api'

/** A tenant, or one of its projects, by name. */
export function scopeReference(description: string) {
  return s.object(
    {
      tenant: s.string({ description: 'Name of a tenant.', minLength: 1, maxLength: 63 }),
      project: s.optional(s.string({ description: 'Name of one of its projects; the whole tenant when absent.', minLength: 1, maxLength: 63 })),
    },
    { description },
  )
}

export interface ScopeReference {
  readonly tenant: string
  readonly project?: string | undefined
}
