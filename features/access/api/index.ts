export type {
  CreateAPIKeyRequest,
  CreatedAPIKey,
  CreatedUser,
  CreateUserRequest,
  Explanation,
  ExplainRequest,
  AuthorizationDecision,
  DeviceDecision,
  LoginRequest,
  OwnCredentials,
  PendingAuthorization,
  PendingDevice,
  PlatformInfo,
  ProviderChoice,
  ProviderChoices,
  ProviderTest,
  ProviderTestRequest,
  SessionInfo,
} from './auth-api.ts'
export { identityProviderKind, mostOutsideGroups, outsideGroup, tenantGroup } from './identity-provider.ts'
export type { IdentityProvider, LdapSettings, OAuth2Settings, OidcSettings } from './identity-provider.ts'
export { accessKinds, apiKeyKind, apiKeyPrefix, longestPassword, passwordProblem, sessionKind, shortestPassword, userKind, userNameProblem } from './kinds.ts'
export type { APIKey, Session, User } from './kinds.ts'
export { cliClientId, oidcClientKind } from './oidc-kinds.ts'
export type { OIDCClient } from './oidc-kinds.ts'
export { accessRoleBindingKind, accessRoleKind, everybodyGroup, groupKind, platformAdminRole, signedInRole } from './permission-kinds.ts'
export type { AccessRole, AccessRoleBinding, AccessRule, Group } from './permission-kinds.ts'
export { safeReturn } from './safe-return.ts'
