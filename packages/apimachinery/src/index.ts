export type { AnySchema, Definitions, Field, ListSchema, MapSchema, ObjectSchema, RefSchema, Scalar, ScalarSchema, Schema } from './schema.ts'
export { httpCodeOfReason, isReason, StatusError } from './status.ts'
export type { Status, StatusCause, StatusDetails, StatusReason } from './status.ts'
