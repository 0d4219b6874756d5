import { Connection } from './connection.ts'
import type { BenchServer } from './server.ts'

/** Imports the real cluster into Gantry, and returns it as it is reached through Gantry's gateway: what is counted there is Gantry's processor time alone. */
export async function importMember(gantry: BenchServer, member: BenchServer, name = 'bench-member'): Promise<BenchServer> {
  const { origin } = new URL(gantry.url)
  const connection = new Connection({ url: origin, token: gantry.token })
  try {
    await connection.post('/platform/v1/clusters/import', JSON.stringify({ name, server: member.url, token: member.token, insecureSkipTLSVerify: true }))
  } finally {
    connection.close()
  }
  return { ...gantry, url: `${origin}/clusters/${name}` }
}
