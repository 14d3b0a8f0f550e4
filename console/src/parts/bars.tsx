// A bar chart as SVG, with the same figures as a table for who cannot see it.
import { Box, Typography } from '@mui/material'
import { visuallyHidden } from '@mui/utils'

export interface Bar {
  label: string
  value: number
  /** The value as it is read. */
  text: string
}

const height = 160

/** Upright bars, for days. */
export function DayBars({ bars, title }: { bars: readonly Bar[]; title: string }) {
  const maximum = Math.max(1, ...bars.map(bar => bar.value))
  const width = 100 / Math.max(1, bars.length)
  return (
    <Box component="figure" sx={{ m: 0 }}>
      <Box
        component="svg"
        viewBox={`0 0 100 ${height}`}
        preserveAspectRatio="none"
        aria-hidden
        sx={{ width: '100%', height, display: 'block', color: 'primary.main' }}
      >
        {bars.map((bar, index) => {
          const tall = (Math.max(0, bar.value) / maximum) * (height - 4)
          return (
            <rect
              key={bar.label}
              x={index * width + width * 0.1}
              y={height - tall}
              width={width * 0.8}
              height={tall}
              fill="currentColor"
            >
              <title>{`${bar.label}: ${bar.text}`}</title>
            </rect>
          )
        })}
      </Box>
      <Box sx={{ display: 'flex', justifyContent: 'space-between' }} aria-hidden>
        <Typography variant="caption">{bars[0]?.label}</Typography>
        <Typography variant="caption">{bars.length > 1 ? bars.at(-1)?.label : ''}</Typography>
      </Box>
      <Figures bars={bars} title={title} />
    </Box>
  )
}

/** Lying bars, for names. */
export function NameBars({ bars, title }: { bars: readonly Bar[]; title: string }) {
  const maximum = Math.max(1, ...bars.map(bar => bar.value))
  return (
    <Box component="figure" sx={{ m: 0 }}>
      <Box aria-hidden>
        {bars.map(bar => (
          <Box key={bar.label} sx={{ mb: 1 }}>
            <Box sx={{ display: 'flex', justifyContent: 'space-between', gap: 1 }}>
              <Typography variant="body2" noWrap>
                {bar.label}
              </Typography>
              <Typography variant="body2">{bar.text}</Typography>
            </Box>
            <Box
              sx={{
                height: 6,
                borderRadius: 1,
                bgcolor: 'primary.main',
                width: `${(Math.max(0, bar.value) / maximum) * 100}%`,
              }}
            />
          </Box>
        ))}
      </Box>
      <Figures bars={bars} title={title} />
    </Box>
  )
}

function Figures({ bars, title }: { bars: readonly Bar[]; title: string }) {
  // Around the table, which by itself is as wide as its words and widens the page on a phone.
  return (
    <div style={visuallyHidden}>
      <table>
        <caption>{title}</caption>
        <tbody>
          {bars.map(bar => (
            <tr key={bar.label}>
              <th scope="row">{bar.label}</th>
              <td>{bar.text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
