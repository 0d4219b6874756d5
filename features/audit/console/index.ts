import type { ConsoleFeature } from '@gantry/console-kit'
import { AuditIcon } from '@gantry/console-kit/icons'
import { auditPath } from '../api/index.ts'
import { AuditPage } from './audit-page.tsx'
import { auditStrings } from './strings.ts'

export const auditConsole: ConsoleFeature = {
  name: 'audit',
  strings: auditStrings,
  pages: [
    {
      path: '/audit',
      title: 'audit:title',
      nav: { section: 'access', order: 80, icon: AuditIcon },
      may: { verb: 'get', path: auditPath },
      component: AuditPage,
    },
  ],
}
