/* The triangular ensemble transform filter, one pixel after the other: see compiled.py.

   Compiled for numbers of type `real`, with N members, C channels and L latents as constants. Rows are padded to whole vectors
   of 64 bytes, and every sum runs over members or channels in a fixed order, so that a pixel
   never depends on its neighbours. */
#include <string.h>
#include <tgmath.h>

#define LANES (64 / (int)sizeof(real))
#define PADDED(n) (((n) + LANES - 1) / LANES)
#define SEEN PADDED(C)          /* vectors of a row of S, or of G */
#define KEPT PADDED(L + 1)      /* vectors of a row of A; the innovation rides in column L */

typedef real vector __attribute__((vector_size(64)));
typedef union { vector v[SEEN]; real f[SEEN * LANES]; } seen_row;
typedef union { vector v[KEPT]; real f[KEPT * LANES]; } kept_row;

/* Anomalies of a table of N rows, times `scale`; returns the mean. All rows are copied before the
   first is read back: a vector that is read right after its parts were written has to wait. */
#define ANOMALIES(name, row, width, vectors)                                                  \
    static row name(const real *restrict from, row *restrict to, const row *restrict scale)  \
    {                                                                                         \
        row mean;                                                                             \
        memset(&mean, 0, sizeof mean);                                                        \
        for (int n = 0; n < N; n++) memcpy(to[n].f, from + (width) * n, sizeof(real) * (width)); \
        for (int n = 0; n < N; n++)                                                           \
            for (int i = 0; i < (vectors); i++) mean.v[i] += to[n].v[i];                      \
        for (int i = 0; i < (vectors); i++) mean.v[i] /= (real)N;                            \
        for (int n = 0; n < N; n++)                                                           \
            for (int i = 0; i < (vectors); i++)                                               \
                to[n].v[i] = (to[n].v[i] - mean.v[i]) * scale->v[i];                          \
        return mean;                                                                          \
    }
ANOMALIES(seen_anomalies, seen_row, C, SEEN)
ANOMALIES(kept_anomalies, kept_row, L, KEPT)

/* rows `first` to `first` + count of G = S'S and of B = S'A, count at most 4 */
static inline __attribute__((always_inline)) void products(
    const seen_row *restrict s, const kept_row *restrict a, seen_row *restrict g,
    kept_row *restrict b, int first, int count)
{
    vector left[4][SEEN], right[4][KEPT];
    memset(left, 0, sizeof left);
    memset(right, 0, sizeof right);
    for (int n = 0; n < N; n++)
        for (int c = 0; c < count; c++) {
            const real factor = s[n].f[first + c];
            for (int i = 0; i < SEEN; i++) left[c][i] += factor * s[n].v[i];
            for (int i = 0; i < KEPT; i++) right[c][i] += factor * a[n].v[i];
        }
    for (int c = 0; c < count; c++) {
        for (int i = 0; i < SEEN; i++) g[first + c].v[i] = left[c][i];
        for (int i = 0; i < KEPT; i++) b[first + c].v[i] = right[c][i];
    }
}

/* members `first` to `first` + count: x + shift - S Q, count at most 4 */
static inline __attribute__((always_inline)) void write_members(
    const real *restrict x, const seen_row *restrict s, const kept_row *restrict q,
    const kept_row *restrict shift, real *restrict result, int first, int count)
{
    kept_row total[4];
    for (int m = 0; m < count; m++) total[m] = *shift;
    for (int c = 0; c < C; c++)
        for (int m = 0; m < count; m++)
            for (int i = 0; i < KEPT; i++) total[m].v[i] -= s[first + m].f[c] * q[c].v[i];
    for (int m = 0; m < count; m++)
        for (int l = 0; l < L; l++)
            result[L * (first + m) + l] = x[L * (first + m) + l] + total[m].f[l];
}

void update(long pixels, const real *restrict prior, const real *restrict predicted,
            const real *restrict y, const real *restrict precision, real *restrict result,
            unsigned char *restrict refused)
{
    const real root = 1 / sqrt((real)(N - 1));
    seen_row s[N], g[C], error, scale;
    kept_row a[N], b[C], q[C], shift, ones;
    memset(s, 0, sizeof s);
    memset(a, 0, sizeof a);
    memset(&error, 0, sizeof error);
    for (int l = 0; l < KEPT * LANES; l++) ones.f[l] = 1;
    for (long p = 0; p < pixels; p++, prior += N * L, result += N * L, predicted += N * C,
              y += C, precision += C) {
        for (int c = 0; c < C; c++) error.f[c] = precision[c] > 0 ? sqrt(precision[c]) : 0;
        for (int i = 0; i < SEEN; i++) scale.v[i] = error.v[i] * root;
        const seen_row mean = seen_anomalies(predicted, s, &scale);
        kept_anomalies(prior, a, &ones);
        int c = 0;
        for (; c + 4 <= C; c += 4) products(s, a, g, b, c, 4);
        for (; c < C; c++) products(s, a, g, b, c, 1);
        for (c = 0; c < C; c++) {
            g[c].f[c] += 1;
            b[c].f[L] = error.f[c] * (y[c] - mean.f[c]);
        }
        /* Lo' above the diagonal of g, Lo^-1 S'A and Lo^-1 d in b */
        int k = 0;
        for (; k < C && g[k].f[k] > 0 && isfinite(g[k].f[k]); k++) {
            const real inverse = 1 / sqrt(g[k].f[k]);
            for (int i = 0; i < SEEN; i++) g[k].v[i] *= inverse;
            for (int i = 0; i < KEPT; i++) b[k].v[i] *= inverse;
            for (int j = k + 1; j < C; j++) {
                const real factor = g[k].f[j];
                for (int i = 0; i < SEEN; i++) g[j].v[i] -= factor * g[k].v[i];
                for (int i = 0; i < KEPT; i++) b[j].v[i] -= factor * b[k].v[i];
            }
        }
        refused[p] = k < C; /* rounding left no positive definite matrix, or not all is finite */
        if (refused[p]) {
            memcpy(result, prior, sizeof(real) * N * L);
            continue;
        }
        memset(&shift, 0, sizeof shift);
        for (c = 0; c < C; c++) {
            const real factor = b[c].f[L] * root;
            for (int i = 0; i < KEPT; i++) shift.v[i] += factor * b[c].v[i];
        }
        for (k = C - 1; k >= 0; k--) {
            const real inverse = 1 / (g[k].f[k] + 1);
            for (int i = 0; i < KEPT; i++) q[k].v[i] = b[k].v[i] * inverse;
            for (int j = 0; j < k; j++)
                for (int i = 0; i < KEPT; i++) b[j].v[i] -= g[j].f[k] * q[k].v[i];
        }
        int n = 0;
        for (; n + 4 <= N; n += 4) write_members(prior, s, q, &shift, result, n, 4);
        for (; n < N; n++) write_members(prior, s, q, &shift, result, n, 1);
    }
}
