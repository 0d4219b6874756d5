import { IconButton, Menu, MenuItem } from '@gantry/console-kit'
import { DeleteIcon, EyeIcon, MoreIcon, PodIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { displayNameOf, isHub, type ClusterObject } from './cluster.ts'
import { RemoveDialog } from './remove-dialog.tsx'

export function ClusterMenu({ cluster }: { readonly cluster: ClusterObject }) {
  const { t } = useTranslation('clusters')
  const [, navigate] = useLocation()
  const [isRemoving, setRemoving] = useState(false)
  const name = cluster.metadata.name ?? ''
  return (
    <>
      <Menu trigger={<IconButton icon={MoreIcon} label={t('actionsOf', { name: displayNameOf(cluster) })} />}>
        <MenuItem icon={EyeIcon} onSelect={() => navigate(`/clusters/${encodeURIComponent(name)}`)}>
          {t('action.open')}
        </MenuItem>
        <MenuItem icon={PodIcon} onSelect={() => navigate(`/pods?cluster=${encodeURIComponent(name)}`)}>
          {t('action.pods')}
        </MenuItem>
        {!isHub(cluster) && (
          <MenuItem icon={DeleteIcon} tone="error" onSelect={() => setRemoving(true)}>
            {t('action.remove')}
          </MenuItem>
        )}
      </Menu>
      {isRemoving && <RemoveDialog cluster={cluster} onClose={() => setRemoving(false)} />}
    </>
  )
}
