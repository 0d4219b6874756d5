import { typeOf } from '@gantry/console-kit'
import { membershipKind, projectKind, projectNamespaceKind, tenantKind } from '../api/index.ts'

export const tenantType = typeOf(tenantKind)
export const projectType = typeOf(projectKind)
export const namespaceType = typeOf(projectNamespaceKind)
export const membershipType = typeOf(membershipKind)
