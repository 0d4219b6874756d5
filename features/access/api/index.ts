export type {
  CreateAPIKeyRequest,
  CreatedAPIKey,
  CreatedUser,
  CreateUserRequest,
  Explanation,
  RuleStep,
  ExplainRequest,
  AuthorizationDecision,
  DeviceDecision,
  LoginAnswer,
  LoginRequest,
  LoginStepRequest,
  NextStep,
  OwnAccount,
  OwnCredentials,
  PendingAuthorization,
  PendingDevice,
  RecoveryCodes,
  SecondFactorEnrolment,
  PlatformInfo,
  ProviderChoice,
  ProviderChoices,
  ProviderTest,
  ProviderTestRequest,
  SessionInfo,
  SignOutAnswer,
  WaitingStep,
  WhoCan,
  WhoCanRequest,
} from './auth-api.ts'
export { elevationRequestKind } from './elevation.ts'
export type { ScopeReference } from './scope-reference.ts'
export type { AskedElevation, ElevationPage, ElevationPhase, ElevationRequest } from './elevation.ts'
export { identityProviderKind, mostOutsideGroups, outsideGroup, tenantGroup } from './identity-provider.ts'
export type { IdentityProvider, LdapSettings, OAuth2Settings, OidcSettings } from './identity-provider.ts'
export { accessKinds, apiKeyKind, apiKeyPrefix, longestPassword, passwordProblem, sessionKind, userKind, userNameProblem } from './kinds.ts'
export type { APIKey, Session, User } from './kinds.ts'
export { cliClientId, oidcClientKind, oidcStateKind } from './oidc-kinds.ts'
export type { OIDCClient, OIDCState } from './oidc-kinds.ts'
export { accessRoleBindingKind, accessRoleKind, everybodyGroup, groupKind, platformAdminRole, signedInRole } from './permission-kinds.ts'
export type { AccessRole, AccessRoleBinding, AccessRule, Group } from './permission-kinds.ts'
export { safeReturn } from './safe-return.ts'
export { defaultSignInRules, shortestPassword, signInPolicyKind, signInPolicyName, signInRulesOf } from './sign-in-policy.ts'
export type { SignInPolicy, SignInRules } from './sign-in-policy.ts'
