import { describe, expect, test } from 'vitest'
import { hasPermission, intersectPermissions, PERMISSIONS, permissionsOf, ROLES } from '../src/index.ts'

describe('permissions', () => {
  test.each([
    [['*'], 'memory.read', true],
    [['*'], '*', true],
    [['memory.*'], 'memory.read', true],
    [['memory.*'], 'memory.*', true],
    [['memory.*'], '*', false],
    [['memory.*'], 'memoryx.read', false],
    [['memory.*'], 'memory', false],
    [['memory.read'], 'memory.write', false],
    [['memory.read'], 'memory.read.all', false],
    [['memory'], 'memory.read', false],
    [['memory.rea*'], 'memory.read', false],
    [[], 'memory.read', false],
  ])('%j covers %j: %s', (granted, wanted, covered) => {
    expect(hasPermission(granted, wanted)).toBe(covered)
  })

  test.each([
    [['*'], ['memory.read'], ['memory.read']],
    [['memory.read'], ['*'], ['memory.read']],
    [['*'], ['*'], ['*']],
    [['memory.*'], ['memory.read', 'tasks.read'], ['memory.read']],
    [
      ['memory.*', 'tasks.read'],
      ['tasks.*', 'memory.write'],
      ['tasks.read', 'memory.write'],
    ],
    [['memory.*'], ['*'], ['memory.*']],
    [['memory.read'], ['memory.write'], []],
    [['memory.read'], [], []],
  ])('what %j and %j both allow is %j', (left, right, both) => {
    expect(intersectPermissions(left, right).sort()).toEqual([...both].sort())
    expect(intersectPermissions(right, left).sort()).toEqual([...both].sort())
  })

  test('a viewer reads, a user works, an admin may do everything, a stranger nothing', () => {
    expect(permissionsOf('viewer')).toEqual(['tasks.read', 'memory.read'])
    expect(permissionsOf('user')).toHaveLength(8)
    expect(permissionsOf('admin')).toEqual(['*'])
    expect(hasPermission(permissionsOf('admin'), 'auth.admin')).toBe(true)
    expect(hasPermission(permissionsOf('user'), 'auth.admin')).toBe(false)
    expect(hasPermission(permissionsOf('admin'), 'audit.read')).toBe(true)
    expect(hasPermission(permissionsOf('user'), 'audit.read')).toBe(false)
    for (const role of ['', 'Admin', 'root', 'constructor']) expect(permissionsOf(role)).toEqual([])
  })

  test('no role but admin is allowed everything', () => {
    for (const role of ROLES) expect(permissionsOf(role).includes('*')).toBe(role === 'admin')
    expect(Object.keys(PERMISSIONS)).toHaveLength(12)
  })
})
