const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const host = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?'
const grammar = new RegExp(
  `^(?:${host}/)?${component}(?:/${component})*(?::[\\w][\\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`,
)

/** What is wrong with an image's name, in the words of distribution/reference; undefined when it is well formed. */
export function imageProblem(image: string): string | undefined {
  if (image.length > 4096 || grammar.test(image)) return undefined
  const problem = /^[^@:]*[A-Z]/.test(image.split('/').at(-1) ?? '') ? 'repository name must be lowercase' : 'invalid reference format'
  return `couldn't parse image name "${image}": ${problem}`
}

/** The full name of an image: Docker Hub where no registry is named, `latest` where there is neither tag nor digest. */
export function normalImageReference(image: string): string {
  const slash = image.indexOf('/')
  const first = slash < 0 ? '' : image.slice(0, slash)
  // As upstream: an organisation on Docker Hub has no capital letters, a host may.
  const hasRegistry = first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase()
  const named = hasRegistry ? image : slash < 0 ? `docker.io/library/${image}` : `docker.io/${image}`
  const last = named.slice(named.lastIndexOf('/') + 1)
  return last.includes('@') || last.includes(':') ? named : `${named}:latest`
}

/** The registry of a full image name. */
export function registryOf(reference: string): string {
  return reference.slice(0, reference.indexOf('/'))
}
