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
let withJsonPatch: Library | undefined

/** All functions that an expression may use in Kubernetes 1.36; made when they are first asked for. */
export function kubernetesLibrary({ jsonPatch }: { readonly jsonPatch: boolean }): Library {
  if (!jsonPatch) return (library ??= everything())
  withJsonPatch ??= everything().add('jsonpatch.escapeKey', 'string_jsonpatch_escapeKey_string', '(string) -> string', (key: string) =>
    key.replaceAll('~', '~0').replaceAll('/', '~1'),
  )
  return withJsonPatch
}

function everything(): Library {
  const all = new Library()
  addStandard(all)
  addOptionals(all)
  addStringExtensions(all)
  addLists(all)
  addUrls(all)
  addNetwork(all)
  addQuantities(all)
  addSemver(all)
  addFormats(all)
  addAuthorizer(all)
  return all
}
