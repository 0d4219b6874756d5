import { fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'

export const notNegative = 'must be greater than or equal to 0'

/** Errors of those fields below `path` that are negative; an absent one is not. */
export function validateNotNegative<Field extends string>(
  values: Readonly<Partial<Record<Field, unknown>>> | undefined,
  fields: readonly NoInfer<Field>[],
  path: string,
): FieldError[] {
  return fields.flatMap((field) => {
    const value = values?.[field]
    return typeof value === 'number' && value < 0 ? [fieldInvalid(`${path}.${field}`, value, notNegative)] : []
  })
}

/** Errors of those fields of a status that are greater than its `limit`. */
export function validateAtMost<Field extends string>(
  status: Readonly<Partial<Record<Field, unknown>>> | undefined,
  fields: readonly NoInfer<Field>[],
  limit: { readonly field: NoInfer<Field>; readonly named?: string },
): FieldError[] {
  const max = status?.[limit.field] ?? 0
  return fields.flatMap((field) => {
    const value = status?.[field] ?? 0
    return (value as number) > (max as number)
      ? [fieldInvalid(`status.${field}`, value, `cannot be greater than ${limit.named ?? `status.${limit.field}`}`)]
      : []
  })
}

/** How often names have collided only grows. */
export function validateCollisionCount(
  next: { collisionCount?: number | undefined } | undefined,
  old: { collisionCount?: number | undefined } | undefined,
): FieldError[] {
  const [count, before] = [next?.collisionCount ?? 0, old?.collisionCount ?? 0]
  return count < before ? [fieldInvalid('status.collisionCount', count, 'cannot be decremented')] : []
}
