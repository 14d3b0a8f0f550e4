// Who may have the name of a category.
import { describe, expect, it } from 'vitest'
import {
  type CategoryNameEvent,
  categoryName,
  claimName,
  releaseName,
} from '../../src/domain/catalogue/categoryName.ts'
import { normalizeName } from '../../src/domain/kernel/text.ts'
import { categoryId, sampleId } from '../support/samples.ts'
import { given } from '../support/specification.ts'

const givenName = given(categoryName)
const mine = { name: 'Lights', categoryId }
const theirs = { name: 'LIGHTS', categoryId: sampleId(42) }
const claimed: CategoryNameEvent = { type: 'CategoryNameClaimed', data: mine }
const released: CategoryNameEvent = { type: 'CategoryNameReleased', data: mine }

describe('a name', () => {
  it('goes to the first who claims it, and who may repeat that', () => {
    givenName()
      .when(state => claimName(state, mine))
      .then([claimed])
    givenName(claimed)
      .when(state => claimName(state, mine))
      .thenNothing()
    givenName(claimed)
      .when(state => claimName(state, theirs))
      .thenRejected('category/exists')
  })

  it('is given back by who has it alone', () => {
    givenName(claimed)
      .when(state => releaseName(state, theirs))
      .thenNothing()
    givenName(claimed)
      .when(state => releaseName(state, mine))
      .then([released])
    givenName(claimed, released)
      .when(state => claimName(state, theirs))
      .then([{ type: 'CategoryNameClaimed', data: theirs }])
  })

  it('is the same in any case, spacing and form', () => {
    expect(normalizeName(' BATH  &\tBody ')).toBe('bath & body')
    expect(normalizeName('Cafe\u0301')).toBe(normalizeName('caf\u00e9'))
  })
})
