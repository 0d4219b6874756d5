import { fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'

/** A path that does not climb: no `..` among its parts. */
export function validateNoBacksteps(text: string, path: string): FieldError[] {
  return text.includes('..') && text.split('/').includes('..') ? [fieldInvalid(path, text, "must not contain '..'")] : []
}

/** A path below the place that it is joined to. */
export function validateDescendingPath(text: string, path: string): FieldError[] {
  const errors = text.startsWith('/') ? [fieldInvalid(path, text, 'must be a relative path')] : []
  return [...errors, ...validateNoBacksteps(text, path)]
}

/** The same, for files that the kubelet writes: names that start with two dots are its own. */
export function validateUnreservedPath(text: string, path: string): FieldError[] {
  const errors = validateDescendingPath(text, path)
  if (text.startsWith('..') && !text.startsWith('../')) errors.push(fieldInvalid(path, text, "must not start with '..'"))
  return errors
}

const maxMode = 0o777

export function validateFileMode(mode: number | undefined, path: string): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > maxMode) ? [fieldInvalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')] : []
}
