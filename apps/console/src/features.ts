import { accessConsole } from '@gantry/access/console'
import { auditConsole } from '@gantry/audit/console'
import type { ConsoleFeature } from '@gantry/console-kit'
import { clustersConsole } from '@gantry/clusters/console'
import { fleetConsole } from '@gantry/fleet/console'
import { tenancyConsole } from '@gantry/tenancy/console'
import { workloadsConsole } from '@gantry/workloads/console'

/** What this console consists of: the list is the documentation. */
export const features: readonly ConsoleFeature[] = [clustersConsole, fleetConsole, tenancyConsole, workloadsConsole, accessConsole, auditConsole]
