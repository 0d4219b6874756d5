export type {
  CreateAPIKeyRequest,
  CreatedAPIKey,
  CreatedUser,
  CreateUserRequest,
  Explanation,
  ExplainRequest,
  LoginRequest,
  PlatformInfo,
  SessionInfo,
} from './auth-api.ts'
export { accessKinds, apiKeyKind, apiKeyPrefix, longestPassword, passwordProblem, sessionKind, shortestPassword, userKind, userNameProblem } from './kinds.ts'
export type { APIKey, Session, User } from './kinds.ts'
export { accessRoleBindingKind, accessRoleKind, everybodyGroup, groupKind, platformAdminRole, signedInRole } from './permission-kinds.ts'
export type { AccessRole, AccessRoleBinding, AccessRule, Group } from './permission-kinds.ts'
