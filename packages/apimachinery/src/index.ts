export type { AnySchema, Definitions, Field, ListSchema, MapSchema, ObjectSchema, RefSchema, Scalar, ScalarSchema, Schema } from './schema.ts'
export { httpCodeOfReason, isReason, StatusError, unlessGone, unlessThere } from './status.ts'
export type { Status, StatusCause, StatusDetails, StatusReason } from './status.ts'
export { fieldSelectorOf, parseFieldSelector, restrictFieldSelector } from './field-selector.ts'
export type { FieldRequirement, FieldSelector, SelectableFields } from './field-selector.ts'
export { canonicalTime, durationMs } from './go-time.ts'
export { goQuote } from './go-quote.ts'
export { formatLabelSelectorObject, labelSelectorFromObject, labelSelectorFromSet, labelSelectorOf, parseLabelSelector } from './label-selector.ts'
export type { LabelOperator, LabelRequirement, Labels, LabelSelector, LabelSelectorObject } from './label-selector.ts'
export { labelKeyProblems, labelValueProblems, subdomainProblems } from './label-syntax.ts'
export {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityOf,
  quantityOfMilli,
  quantityToMilli,
  quantityToNumber,
  quantityToUnits,
  subtractQuantities,
} from './quantity.ts'
export type { Quantity, QuantityFormat } from './quantity.ts'
export { definitionsFromTable } from './builtin-types.ts'
export type { BuiltinTypes, FieldFacts, KindFacts, TypeFacts, TypeShape, TypeTable } from './builtin-types.ts'
export { createDecoder } from './decode.ts'
export type { Decoded, DecodeOptions, Decoder } from './decode.ts'
export { goFormat } from './go-format.ts'
export { parseJson } from './parse-json.ts'
export type { ParsedText, ParseOptions } from './parse-json.ts'
export { applyJsonPatch, JsonPatchProblem } from './json-patch.ts'
export { isJsonObject, jsonEqual, ownValue, setOwn } from './json-value.ts'
export type { JsonObject } from './json-value.ts'
export { applyMergePatch } from './merge-patch.ts'
export { applyStrategicMergePatch } from './strategic-merge-patch.ts'
export { formatYaml } from './format-yaml.ts'
export { parseYaml } from './parse-yaml.ts'
export {
  describePath,
  emptyFieldSet,
  fieldSetHas,
  fieldSetOfPaths,
  intersectFieldSets,
  isEmptyFieldSet,
  parseFieldSet,
  pathsOf,
  subtractFieldSet,
  subtractFieldSetRecursively,
  unionFieldSets,
} from './field-set.ts'
export type { FieldSet } from './field-set.ts'
export { decodeManagedFields, isSameButManagerTimes, updateManagedFields } from './managed-fields.ts'
export { parentManagedFields, scaleApiVersion, scaleManagedFields } from './scale-managed-fields.ts'
export type { ReplicasPaths } from './scale-managed-fields.ts'
export type { FieldOwnership, ManagedFieldsEntry, UpdateManagedFieldsInput, VersionedView } from './managed-fields.ts'
export { mergeTypeOf } from './merge-type.ts'
export type { MergeType } from './merge-type.ts'
export { diffObjects, fieldSetOf } from './object-diff.ts'
export type { ObjectDiff } from './object-diff.ts'
export {
  fieldDuplicate,
  fieldErrorBody,
  fieldForbidden,
  fieldInternal,
  fieldInvalid,
  fieldNotFound,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  fieldTypeInvalid,
  formatFieldError,
  invalidError,
  omittedValue,
} from './field-error.ts'
export type { FieldError, FieldErrorType, QualifiedKind } from './field-error.ts'
export { initialEventsProblems } from './watch-options.ts'
export { isIpv4, isIpv6 } from './ip-address.ts'
export { hasStringFormat } from './string-formats.ts'
export { humanDuration } from './human-duration.ts'
export {
  configMapKeyProblems,
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  environmentNameProblems,
  isNameValid,
  pathSegmentProblems,
  portNameProblems,
  portNumberProblems,
  wildcardSubdomainProblems,
} from './name-syntax.ts'
export type { NameProblems } from './name-syntax.ts'
export {
  fieldIsImmutable,
  validateAnnotations,
  validateFieldManager,
  validateFinalizers,
  validateFinalizersAreQualified,
  validateImmutableMeta,
  validateLabels,
  validateLabelSelector,
  validateManagedFields,
  validateObjectMeta,
  validateObjectMetaUpdate,
  validateOwnerReferences,
} from './object-meta.ts'
export type { ObjectMetaRules, ValidatedMeta, ValidatedOwner } from './object-meta.ts'
export { createProtobufCodec, protobufMagic } from './protobuf.ts'
export type { ProtobufCodec, ProtobufEnvelope } from './protobuf.ts'
export { applyConfiguration } from './apply-configuration.ts'
export { applyPatch } from './apply.ts'
export type { AppliedPatch, ApplyPatchInput } from './apply.ts'
export { validateCustomResource } from './custom-resource-validation.ts'
export { compileJsonPath, evaluateJsonPath } from './json-path.ts'
export { compilePattern, PatternSyntaxError, PatternTooExpensive } from './linear-pattern.ts'
export type { LinearPattern } from './linear-pattern.ts'
export { applySchemaDefaults } from './schema-defaults.ts'
export { structuralSchemaProblems } from './structural-problems.ts'
export { structuralSchemaOf } from './structural-schema.ts'
export type { CustomKind, JsonSchema } from './structural-schema.ts'
export { bearerToken, createOpenApiWriter, groupEntry } from './openapi.ts'
export type { GroupVersionKind, OpenApiEntry, OpenApiOptions, OpenApiResource, OpenApiSubresource, OpenApiWriter, SwaggerPart } from './openapi.ts'
export { swaggerDefinition, swaggerDefinitions, swaggerHead, swaggerPath, swaggerPaths, swaggerSecurity } from './openapi-v2-protobuf.ts'
export { ageOf, printedValue, printerCell } from './printer-column.ts'
export type { PrinterColumn, TableColumnDefinition, TableRow } from './printer-column.ts'
export { askedName, isTrueParameter, requestInfo } from './request-info.ts'
export type { RequestInfo } from './request-info.ts'
