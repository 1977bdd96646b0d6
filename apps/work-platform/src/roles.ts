/** What a member of a workspace can be, most powerful first. */
export const ROLES = ['owner', 'admin', 'member', 'viewer'] as const
export type Role = (typeof ROLES)[number]

interface Rights {
  createsProjects: boolean
  /** Which projects the role may delete. */
  deletesProjects: 'all' | 'own' | 'none'
  /** Members of which roles it may add and remove; leaving is everybody's right. */
  manages: readonly Role[]
}

/** The row-level policies of the migrations say the same; they bite where a query here forgets to ask. */
export const RIGHTS: Record<Role, Rights> = {
  owner: { createsProjects: true, deletesProjects: 'all', manages: ROLES },
  admin: { createsProjects: true, deletesProjects: 'all', manages: ['member', 'viewer'] },
  member: { createsProjects: true, deletesProjects: 'own', manages: [] },
  viewer: { createsProjects: false, deletesProjects: 'none', manages: [] },
}
