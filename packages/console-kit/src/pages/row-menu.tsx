import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import type { ObjectRef } from '../api/kube-client.ts'
import { useKind } from '../console-context.tsx'
import type { ObjectAction } from '../definitions.ts'
import { useServedResource } from '../live/use-served.ts'
import { objectHref } from '../model/console-path.ts'
import { MoreIcon, YamlIcon } from '../ui/icons.ts'
import { Menu, MenuItem, MenuSeparator } from '../ui/menu.tsx'

const triggerLook = 'inline-flex size-7 cursor-pointer items-center justify-center rounded text-muted hover:bg-line hover:text-ink'

/** What can be done with a row. The menu itself exists only once asked for: forty rows in view must not build forty menus. */
export function RowMenu({ target, actions, label }: { readonly target: ObjectRef; readonly actions: readonly ObjectAction[]; readonly label: string }) {
  const [isAsked, setAsked] = useState(false)
  const [action, setAction] = useState<ObjectAction>()
  const DialogOfAction = action?.dialog
  return (
    <>
      {isAsked ? (
        <OpenMenu target={target} actions={actions} label={label} onAction={setAction} />
      ) : (
        <button type="button" aria-label={label} aria-haspopup="menu" onClick={() => setAsked(true)} className={triggerLook}>
          <MoreIcon aria-hidden className="size-4" />
        </button>
      )}
      {DialogOfAction !== undefined && <DialogOfAction targets={[target]} onClose={() => setAction(undefined)} />}
    </>
  )
}

function OpenMenu({
  target,
  actions,
  label,
  onAction,
}: {
  readonly target: ObjectRef
  readonly actions: readonly ObjectAction[]
  readonly label: string
  readonly onAction: (action: ObjectAction) => void
}) {
  const { t } = useTranslation('kit')
  const [, navigate] = useLocation()
  const kind = useKind(target.type)
  const served = useServedResource(target.cluster ?? '', target.type)
  return (
    <Menu
      defaultOpen
      trigger={
        <button type="button" aria-label={label} className={triggerLook}>
          <MoreIcon aria-hidden className="size-4" />
        </button>
      }
    >
      <MenuItem icon={YamlIcon} onSelect={() => navigate(objectHref(target, 'yaml'))}>
        {t('action.editYaml')}
      </MenuItem>
      {kind?.tabs?.map((tab) => (
        <MenuItem key={tab.id} icon={tab.icon} onSelect={() => navigate(objectHref(target, tab.id))}>
          {t(tab.title)}
        </MenuItem>
      ))}
      <MenuSeparator />
      {offered(actions, served?.verbs).map((action) => (
        <MenuItem key={action.id} icon={action.icon} tone={action.tone === 'error' ? 'error' : undefined} onSelect={() => onAction(action)}>
          {t(action.title)}
        </MenuItem>
      ))}
    </Menu>
  )
}

/** The actions a server can do; all of them while its verbs are unknown. Of two with one id the first counts: a kind's own deletion comes before the console's. */
export function offered(actions: readonly ObjectAction[], verbs: readonly string[] | undefined): readonly ObjectAction[] {
  const own = actions.filter(({ id }, index) => actions.findIndex((other) => other.id === id) === index)
  return own.filter((action) => action.verb === undefined || verbs === undefined || verbs.includes(action.verb))
}
