export { compile, perCallLimit } from './compile.ts'
export type { Compiled, CompileOptions, EvaluateOptions, Evaluation, Program } from './compile.ts'
export type { CostRange } from './cost-estimate.ts'
export { authorizerType, authorizerValue, resourceCheckType, resourceCheckValue } from './library/authorizer.ts'
export type { AuthorizerAttributes, AuthorizerDecision, CheckAccess } from './library/authorizer.ts'
export { maxRequestBytes, minSerializedSize, typeOfSchema } from './schema-types.ts'
export {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  escapeName,
  formatType,
  intType,
  isOptional,
  listType,
  mapType,
  nullType,
  objectType,
  opaqueType,
  optionalType,
  stringType,
  timestampType,
  uintType,
  unescapeName,
} from './types.ts'
export type { ObjectType, Type } from './types.ts'
export {
  CelError,
  CelMap,
  Duration,
  fromJson,
  fromUntyped,
  MadeObject,
  ObjectView,
  Optional,
  Timestamp,
  toJson,
  typeNameOf,
  TypeValue,
  Uint,
} from './values.ts'
export type { HostValue, Value } from './values.ts'
