import type { Role } from './kinds.ts'

/** Answer of `GET /auth/session` and `POST /auth/login`. */
export interface SessionInfo {
  readonly user: { readonly name: string; readonly displayName: string; readonly role: Role }
  /** When the session ends however busy it is. */
  readonly expires: string
}

/** Body of `POST /auth/login`. */
export interface LoginRequest {
  readonly username: string
  readonly password: string
}

/** Answer of `GET /platform/v1/info`. */
export interface PlatformInfo {
  readonly version: string
  /** What clients outside use: https://host:port. */
  readonly server: string
  readonly user: { readonly name: string; readonly role: Role }
}

/** Body of `POST /platform/v1/apikeys`. */
export interface CreateAPIKeyRequest {
  /** The caller when absent; only an admin may name someone else. */
  readonly user?: string | undefined
  readonly description?: string | undefined
  readonly expiresInSeconds?: number | undefined
}

/** Answer of `POST /platform/v1/apikeys`: the only time the key is shown. */
export interface CreatedAPIKey {
  readonly name: string
  readonly key: string
  readonly user: string
  readonly expirationTime?: string | undefined
}

/** Body of `POST /platform/v1/users` and, without `name` and `role`, of `POST /platform/v1/users/<name>/password`. */
export interface CreateUserRequest {
  readonly name: string
  readonly role: Role
  readonly displayName?: string | undefined
  /** A random one is made and returned when absent. */
  readonly password?: string | undefined
}

/** Answer of the two: the password only when it was made here. */
export interface CreatedUser {
  readonly name: string
  readonly role: Role
  readonly password?: string | undefined
}
