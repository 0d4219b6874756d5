import { Library } from '../overloads.ts'
import { addAuthorizer } from './authorizer.ts'
import { addFormats } from './formats.ts'
import { addLists } from './lists.ts'
import { addNetwork } from './network.ts'
import { addQuantities } from './quantities.ts'
import { addSemver } from './semver.ts'
import { addOptionals, addStandard } from './standard.ts'
import { addStringExtensions } from './strings.ts'
import { addUrls } from './urls.ts'

let library: Library | undefined

/** All functions that an expression may use in Kubernetes 1.36; made when it is first asked for. */
export function kubernetesLibrary(): Library {
  if (library !== undefined) return library
  library = new Library()
  addStandard(library)
  addOptionals(library)
  addStringExtensions(library)
  addLists(library)
  addUrls(library)
  addNetwork(library)
  addQuantities(library)
  addSemver(library)
  addFormats(library)
  addAuthorizer(library)
  return library
}
