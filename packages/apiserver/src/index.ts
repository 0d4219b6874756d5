export { anonymous, bearerToken } from './access.ts'
export type { Attributes, AuditEvent, Authenticator, Authorizer, Decision, Impersonated } from './access.ts'
export type { Auditor, AuditOutcome, AuditTrail } from './audit.ts'
export { FlowRejected } from './flow-control.ts'
export type { FlowControl, FlowTicket } from './flow-control.ts'
export type { AdmissionHost, AdmissionPlugin, AdmissionRequest, AdmittedBody, AdmittedShape, Reinvocation } from './admission.ts'
export type { Delegate, ForeignGroupVersion, ForeignServer } from './delegate.ts'
export { swaggerBelow } from './foreign-swagger.ts'
export type { Swagger } from './foreign-swagger.ts'
export { forbidden, notFound, qualified, refusal, refused } from './errors.ts'
export { apiVersion, collectionPrefix, decodeObject, metaOrder, objectKey } from './object-bytes.ts'
export { integerOf } from './list.ts'
export { deleteStored } from './delete-collection.ts'
export { formatTime } from './object-writer.ts'
export { Registry } from './registry.ts'
export type {
  ApiObject,
  ResourceDefinition,
  ScaleMapping,
  ServerMeta,
  StoredAs,
  Subresource,
  SubresourceCall,
  TableColumn,
  VirtualCreate,
  WriteContext,
} from './resource.ts'
export { jsonHeaders, valueResponse } from './respond.ts'
export { createApiServer } from './server.ts'
export type { ApiServer, ApiServerDeps, ApiServerOptions } from './server.ts'
export { limits } from './server-context.ts'
export { nameColumn } from './table.ts'
export { ConversionPending, toServed, toStored } from './view.ts'
