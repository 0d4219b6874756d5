export { safeReturn } from '../api/index.ts'
export { readSession, signIn, signOut } from './session.ts'
export { SignInPage } from './sign-in-page.tsx'
export { accessStrings } from './strings.ts'
