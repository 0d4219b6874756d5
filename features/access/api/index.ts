export type { CreateAPIKeyRequest, CreatedAPIKey, CreatedUser, CreateUserRequest, LoginRequest, PlatformInfo, SessionInfo } from './auth-api.ts'
export {
  accessKinds,
  apiKeyKind,
  apiKeyPrefix,
  longestPassword,
  passwordProblem,
  roles,
  sessionKind,
  shortestPassword,
  userKind,
  userNameProblem,
} from './kinds.ts'
export type { APIKey, Role, Session, User } from './kinds.ts'
