// What comes and goes: places are used again, and names are nothing but names.
import { describe, expect, it } from 'vitest'
import { Lookup, Places } from '../../src/kit/shortLived.ts'

describe('places', () => {
  it('are given to the next one when somebody leaves', () => {
    const places = new Places<{ name: string }>()
    const [ann, bob, cid] = [{ name: 'ann' }, { name: 'bob' }, { name: 'cid' }]
    const [first, second] = [places.take(ann), places.take(bob)]
    expect(places.all()).toEqual([ann, bob])
    places.leave(first)
    expect(places.all()).toEqual([bob])
    expect(places.take(cid)).toBe(first)
    expect(places.all()).toEqual([cid, bob])
    places.leave(second)
    expect(places.all()).toEqual([cid])
  })

  it('are left once, however often somebody says so', () => {
    const places = new Places<{ name: string }>()
    const place = places.take({ name: 'ann' })
    places.leave(place)
    places.leave(place)
    expect(places.take({ name: 'bob' })).not.toBe(places.take({ name: 'cid' }))
    expect(places.all()).toHaveLength(2)
  })
})

describe('a lookup', () => {
  it('gives what was put under a name until it is deleted', () => {
    const lookup = new Lookup<{ n: number }>()
    lookup.set('one', { n: 1 })
    lookup.set('one', { n: 2 })
    expect(lookup.get('one')).toEqual({ n: 2 })
    lookup.delete('one')
    expect(lookup.get('one')).toBeUndefined()
  })

  it.each(['constructor', 'toString', '__proto__', ''])('knows nothing as "%s" of itself', name => {
    const lookup = new Lookup<{ n: number }>()
    expect(lookup.get(name)).toBeUndefined()
    lookup.set(name, { n: 1 })
    expect(lookup.get(name)).toEqual({ n: 1 })
  })
})
