import { IconButton, Menu, MenuItem } from '@gantry/console-kit'
import { DeleteIcon, EditIcon, MoreIcon } from '@gantry/console-kit/icons'
import type { ComponentProps } from 'react'
import { useTranslation } from 'react-i18next'

/** What else may be done with a tenant or a project; nothing when that is nothing. */
export function ScopeMenu({
  name,
  mayEdit,
  mayDelete,
  switchTo,
  onSelect,
}: {
  readonly name: string
  readonly mayEdit: boolean
  readonly mayDelete: boolean
  /** Suspends or locks it, or lets it go on. */
  readonly switchTo: { readonly icon: ComponentProps<typeof MenuItem>['icon']; readonly label: string }
  readonly onSelect: (dialog: 'edit' | 'switch' | 'remove') => void
}) {
  const { t } = useTranslation('tenancy')
  if (!mayEdit && !mayDelete) return null
  return (
    <Menu trigger={<IconButton icon={MoreIcon} label={t('actionsOf', { name })} />}>
      {mayEdit && (
        <>
          <MenuItem icon={EditIcon} onSelect={() => onSelect('edit')}>
            {t('edit')}
          </MenuItem>
          <MenuItem icon={switchTo.icon} onSelect={() => onSelect('switch')}>
            {switchTo.label}
          </MenuItem>
        </>
      )}
      {mayDelete && (
        <MenuItem icon={DeleteIcon} tone="error" onSelect={() => onSelect('remove')}>
          {t('remove')}
        </MenuItem>
      )}
    </Menu>
  )
}
