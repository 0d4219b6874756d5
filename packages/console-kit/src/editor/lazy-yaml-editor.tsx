import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Loading } from '../ui/empty.tsx'
import type { YamlEditorProps } from './yaml-editor.tsx'

// The editor is larger than all other pages together: it is loaded when one is opened.
const Loaded = lazy(async () => ({ default: (await import('./yaml-editor.tsx')).YamlEditor }))

export function LazyYamlEditor(props: YamlEditorProps) {
  const { t } = useTranslation('kit')
  return (
    <Suspense fallback={<Loading label={t('yaml.loading')} />}>
      <Loaded {...props} />
    </Suspense>
  )
}
