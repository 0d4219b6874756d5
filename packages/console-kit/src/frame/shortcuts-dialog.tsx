import { useTranslation } from 'react-i18next'
import { Dialog } from '../ui/dialog.tsx'

const shortcuts = [
  { id: 'palette', keys: ['⌘ / Ctrl', 'K'] },
  { id: 'search', keys: ['/'] },
  { id: 'rows', keys: ['↑', '↓'] },
  { id: 'open', keys: ['Enter'] },
  { id: 'select', keys: ['Space'] },
  { id: 'unselect', keys: ['Esc'] },
  { id: 'tabs', keys: ['←', '→'] },
  { id: 'save', keys: ['⌘ / Ctrl', 'S'] },
  { id: 'help', keys: ['?'] },
] as const

/** Every key the console answers to. */
export function ShortcutsDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation('kit')
  return (
    <Dialog title={t('shortcuts.title')} onClose={onClose}>
      <dl className="divide-y divide-line/60 pb-3">
        {shortcuts.map(({ id, keys }) => (
          <div key={id} className="flex items-center gap-4 py-1.5">
            <dt className="flex-1">{t(`shortcuts.${id}`)}</dt>
            <dd className="flex gap-1">
              {keys.map((key) => (
                <kbd key={key} className="rounded border border-line-strong bg-canvas px-1.5 py-0.5 font-mono text-[11px]">
                  {key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
