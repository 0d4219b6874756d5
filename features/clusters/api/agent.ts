/** Where the agent lives in a member, and what its objects are called. */
export const agentNamespace = 'gantry-agent'
export const agentName = 'gantry-agent'

/** On everything of ours in a member; the value is the cluster's name. By it leaving is verified. */
export const agentLabel = 'fleet.gantry.dev/agent'

/** The only paths of the platform where an agent's credential means anything. */
export const agentPaths = {
  /** POST: the one-time token for a credential that the agent has chosen. */
  enroll: '/agent/v1/enroll',
  /** POST: another credential for the one that authorizes it. GET: proves a credential; the first use of a new one ends the old. */
  credential: '/agent/v1/credential',
  /** Upgrade: a connection. */
  connect: '/agent/v1/connect',
} as const

/** The word in `Upgrade`. */
export const agentUpgrade = 'gantry-tunnel'

/** `gantry-agent.<cluster>.<secret>`: one-time tokens and credentials name the one cluster they are for. */
export const agentCredentialPrefix = 'gantry-agent.'
