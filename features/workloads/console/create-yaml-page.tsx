import { CreatePage } from '@gantry/console-kit'
import { templates } from './templates.ts'

export function CreateYamlPage() {
  return <CreatePage templates={templates} />
}
