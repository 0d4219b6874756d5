// What both ends of a tunnel agree on. After `101 Switching Protocols` the side that was dialled is the client of HTTP/2 and the side that dialled its server: a request is a
// stream, and a stream of the method CONNECT carries HTTP/1.1 for what is upgraded (exec, attach, port-forward).

/** The word in `Upgrade`. */
export const tunnelProtocol = 'gantry-tunnel'
/** Stands for the member's API server in every request: only its agent knows the real address. */
export const tunnelAuthority = 'member'
/** On an answer that the agent, or another gateway on the way to it, gives instead of the member: a word of `TransportFailure`; the body says the same for people. */
export const failureHeader = 'gantry-agent-failure'

/** What one stream may hold that nobody has read yet: the window of flow control. A slow reader costs this much memory and holds up no other stream. */
export const streamWindowBytes = 512 << 10
export const connectionWindowBytes = 8 << 20
/** Streams of one connection; more are refused. */
export const maxStreams = 2_048
/** MiB that Node lets one connection keep for headers and data in flight before it refuses new streams. */
export const maxSessionMemoryMib = 64
export const maxHeaderBytes = 64 << 10
export const maxHeaderCount = 200
