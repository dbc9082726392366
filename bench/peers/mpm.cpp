// The material point method of src/physics in plain C++: the same steps in the same order on one thread, as a yardstick.
// Equations: GIOROM spec 3.1 and 3.2. Jelly and sand, slippery walls.
//
// usage: mpm <scene> <state>
// <scene> holds doubles: dim, cells, dt, particles, family (0 elastic, 1 granular), mu, lambda, mass, volume, cone, bulk,
// bound; then x and v of all particles, which start undeformed. Each line of standard input is a number of steps to take,
// answered by a line of JSON with the processor milliseconds that took; before the answer, x goes to <state>.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace {

constexpr double SMALLEST_STRETCH = 0.05;

struct Scene {
  int dim, cells, side, count, family;
  double dt, mu, lambda, mass, volume, cone, bulk, dx;
  int bound;
  std::vector<double> x, v, c, f, stress, nodes;
};

inline void weights(double f, double* w) {
  w[0] = 0.5 * (1.5 - f) * (1.5 - f);
  w[1] = 0.75 - (f - 1) * (f - 1);
  w[2] = 0.5 * (f - 0.5) * (f - 0.5);
}

template <int D>
void scatter(Scene& s) {
  constexpr int N = D + 1;
  const double push = -s.dt * s.volume * 4 * s.cells;
  const double drag = s.mass * s.dx;
  const int side = s.side;
  double* __restrict nodes = s.nodes.data();
  const double* __restrict x = s.x.data();
  const double* __restrict v = s.v.data();
  const double* __restrict c = s.c.data();
  const double* __restrict stress = s.stress.data();
  for (int i = 0; i < s.count; i++) {
    int base[D];
    double f[D], w[D][3], a[D][D], m[N];
    for (int k = 0; k < D; k++) {
      const double g = x[D * i + k] * s.cells;
      base[k] = static_cast<int>(g - 0.5);
      f[k] = g - base[k];
      weights(f[k], w[k]);
    }
    m[0] = s.mass;
    for (int k = 0; k < D; k++) {
      m[k + 1] = s.mass * v[D * i + k];
      for (int l = 0; l < D; l++) {
        a[k][l] = push * stress[D * D * i + D * k + l] + drag * c[D * D * i + D * k + l];
        m[k + 1] -= a[k][l] * f[l];
      }
    }
    for (int o = 0; o < 3; o++)
      for (int p = 0; p < 3; p++) {
        if constexpr (D == 2) {
          double* at = nodes + N * ((base[0] + o) * side + base[1] + p);
          const double wn = w[0][o] * w[1][p];
          at[0] += wn * m[0];
          for (int k = 0; k < D; k++) at[k + 1] += wn * (m[k + 1] + o * a[k][0] + p * a[k][1]);
        } else {
          double* at = nodes + N * (((base[0] + o) * side + base[1] + p) * side + base[2]);
          const double wp = w[0][o] * w[1][p];
          double row[N];
          row[0] = m[0];
          for (int k = 0; k < D; k++) row[k + 1] = m[k + 1] + o * a[k][0] + p * a[k][1];
          for (int q = 0; q < 3; q++, at += N) {
            const double wn = wp * w[D - 1][q];
            at[0] += wn * row[0];
            for (int k = 0; k < D; k++) at[k + 1] += wn * (row[k + 1] + q * a[k][D - 1]);
          }
        }
      }
  }
}

template <int D>
void updateGrid(Scene& s) {
  const int top = s.bound > 0 ? s.cells - s.bound : s.side;
  double* at = s.nodes.data();
  const int depth = D == 3 ? s.side : 1;
  for (int a = 0; a < s.side; a++)
    for (int b = 0; b < s.side; b++)
      for (int c = 0; c < depth; c++, at += D + 1) {
        if (at[0] == 0) continue;
        const int index[3] = {a, b, c};
        for (int k = 0; k < D; k++) {
          double u = at[k + 1] / at[0] + (k == 1 ? s.dt * -9.8 : 0);
          if ((index[k] < s.bound && u < 0) || (index[k] > top && u > 0)) u = 0;
          at[k + 1] = u;
        }
      }
}

template <int D>
void gather(Scene& s) {
  constexpr int N = D + 1;
  const double scale = 4 * s.cells;
  const double low = 0.5 * s.dx, high = 1 - low, dt = s.dt;
  const int side = s.side;
  const double* __restrict nodes = s.nodes.data();
  double* __restrict x = s.x.data();
  double* __restrict v = s.v.data();
  double* __restrict c = s.c.data();
  double* __restrict f = s.f.data();
  for (int i = 0; i < s.count; i++) {
    int base[D];
    double fr[D], w[D][3], u[D] = {}, m[D][D] = {};
    for (int k = 0; k < D; k++) {
      const double g = x[D * i + k] * s.cells;
      base[k] = static_cast<int>(g - 0.5);
      fr[k] = g - base[k];
      weights(fr[k], w[k]);
    }
    for (int o = 0; o < 3; o++)
      for (int p = 0; p < 3; p++) {
        if constexpr (D == 2) {
          const double* at = nodes + N * ((base[0] + o) * side + base[1] + p);
          const double wn = w[0][o] * w[1][p];
          for (int k = 0; k < D; k++) {
            const double part = wn * at[k + 1];
            u[k] += part;
            m[k][0] += o * part;
            m[k][1] += p * part;
          }
        } else {
          const double* at = nodes + N * (((base[0] + o) * side + base[1] + p) * side + base[2]);
          const double wp = w[0][o] * w[1][p];
          const double* wz = w[D - 1];
          for (int k = 0; k < D; k++) {
            const double first = wz[1] * at[k + 5], second = wz[2] * at[k + 9];
            const double part = wp * (wz[0] * at[k + 1] + first + second);
            u[k] += part;
            m[k][0] += o * part;
            m[k][1] += p * part;
            m[k][D - 1] += wp * (first + 2 * second);
          }
        }
      }
    double old[D * D];
    std::copy(f + D * D * i, f + D * D * (i + 1), old);
    for (int k = 0; k < D; k++) {
      for (int l = 0; l < D; l++) m[k][l] = scale * (m[k][l] - fr[l] * u[k]);
      v[D * i + k] = u[k];
      x[D * i + k] = std::min(high, std::max(low, x[D * i + k] + dt * u[k]));
    }
    for (int k = 0; k < D; k++)
      for (int l = 0; l < D; l++) {
        double sum = 0;
        for (int n = 0; n < D; n++) sum += m[k][n] * old[D * n + l];
        c[D * D * i + D * k + l] = m[k][l];
        f[D * D * i + D * k + l] = old[D * k + l] + dt * sum;
      }
  }
}

/** F = U diag(s) Vt with rotations, in closed form. */
void svd2(const double* f, double* u, double* s, double* vt) {
  const double e = (f[0] + f[3]) / 2, h = (f[2] - f[1]) / 2, g = (f[0] - f[3]) / 2, k = (f[2] + f[1]) / 2;
  const double q = std::sqrt(e * e + h * h), r = std::sqrt(g * g + k * k);
  const double cosB = q > 0 ? e / q : 1, sinB = q > 0 ? h / q : 0;
  const double cosA = r > 0 ? g / r : 1, sinA = r > 0 ? k / r : 0;
  const double cosSum = cosA * cosB - sinA * sinB, sinSum = sinA * cosB + cosA * sinB;
  double cosU, sinU;
  if (cosSum >= 0) {
    cosU = std::sqrt((1 + cosSum) / 2);
    sinU = sinSum / (2 * cosU);
  } else {
    sinU = std::sqrt((1 - cosSum) / 2);
    cosU = sinSum / (2 * sinU);
  }
  const double cosV = cosB * cosU + sinB * sinU, sinV = sinB * cosU - cosB * sinU;
  u[0] = u[3] = cosU;
  u[1] = -sinU;
  u[2] = sinU;
  vt[0] = vt[3] = cosV;
  vt[1] = -sinV;
  vt[2] = sinV;
  s[0] = q + r;
  s[1] = q - r;
}

inline double dot(const double* a, const double* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

inline void turn(double* a, double* b, double c, double s) {
  for (int k = 0; k < 3; k++) {
    const double x = c * a[k] - s * b[k];
    b[k] = s * a[k] + c * b[k];
    a[k] = x;
  }
}

/** By one-sided Jacobi rotations of the rows of F. */
void svd3(const double* f, double* u, double* s, double* vt) {
  double rows[3][3], columns[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  std::copy(f, f + 9, &rows[0][0]);
  for (int sweep = 0, quiet = 0; sweep < 20 && quiet < 3; sweep++)
    for (int pair = 0; pair < 3 && quiet < 3; pair++) {
      double* a = rows[pair];
      double* b = rows[(pair + 1) % 3];
      const double ab = dot(a, b), aa = dot(a, a), bb = dot(b, b);
      quiet++;
      if (ab * ab > 1e-31 * aa * bb) {
        quiet = 0;
        const double zeta = (bb - aa) / (2 * ab);
        const double t = (zeta >= 0 ? 1 : -1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double c = 1 / std::sqrt(1 + t * t);
        turn(a, b, c, c * t);
        turn(columns[pair], columns[(pair + 1) % 3], c, c * t);
      }
    }
  int order[3] = {0, 1, 2};
  double length[3];
  for (int k = 0; k < 3; k++) length[k] = std::sqrt(dot(rows[k], rows[k]));
  if (length[order[0]] < length[order[1]]) std::swap(order[0], order[1]);
  if (length[order[1]] < length[order[2]]) std::swap(order[1], order[2]);
  if (length[order[0]] < length[order[1]]) std::swap(order[0], order[1]);
  for (int k = 0; k < 3; k++) {
    s[k] = length[order[k]];
    for (int l = 0; l < 3; l++) {
      u[3 * l + k] = columns[order[k]][l];
      vt[3 * k + l] = s[k] > 0 ? rows[order[k]][l] / s[k] : (k == l);
    }
  }
}

/** Drucker–Prager's return map of logarithmic strains. */
template <int D>
bool flow(const Scene& s, double* e) {
  double trace = 0;
  for (int k = 0; k < D; k++) trace += e[k];
  if (trace >= 0) {
    std::fill(e, e + D, 0.0);
    return true;
  }
  const double mean = trace / D;
  double sum = 0;
  for (int k = 0; k < D; k++) sum += (e[k] - mean) * (e[k] - mean);
  const double length = std::sqrt(sum);
  const double excess = length + s.cone * trace * s.bulk;
  if (excess <= 0) return false;
  for (int k = 0; k < D; k++) e[k] -= excess * (e[k] - mean) / length;
  return true;
}

/** In 2D the nearest rotation has a closed form. */
void elastic2(Scene& s) {
  for (int i = 0; i < s.count; i++) {
    const double a = s.f[4 * i], b = s.f[4 * i + 1], c = s.f[4 * i + 2], d = s.f[4 * i + 3];
    const double e = a + d, h = c - b, length = std::sqrt(e * e + h * h);
    const double cos = length > 0 ? e / length : 1, sin = length > 0 ? h / length : 0;
    const double j = a * d - b * c, pressure = s.lambda * j * (j - 1);
    double* stress = s.stress.data() + 4 * i;
    stress[0] = 2 * s.mu * ((a - cos) * a + (b + sin) * b) + pressure;
    stress[1] = stress[2] = 2 * s.mu * ((a - cos) * c + (b + sin) * d);
    stress[3] = 2 * s.mu * ((c - sin) * c + (d - cos) * d) + pressure;
  }
}

template <int D>
void constitution(Scene& s) {
  if (D == 2 && s.family == 0) return elastic2(s);
  for (int i = 0; i < s.count; i++) {
    double* f = s.f.data() + D * D * i;
    double u[D * D], sigma[D], vt[D * D], tau[D];
    if constexpr (D == 2)
      svd2(f, u, sigma, vt);
    else
      svd3(f, u, sigma, vt);
    double pressure;
    if (s.family == 0) {
      double j = 1;
      for (int k = 0; k < D; k++) j *= sigma[k];
      pressure = s.lambda * j * (j - 1);
      for (int k = 0; k < D; k++) tau[k] = 2 * s.mu * (sigma[k] - 1) * sigma[k] + pressure;
    } else {
      double e[D], trace = 0;
      for (int k = 0; k < D; k++) e[k] = std::log(std::max(sigma[k], SMALLEST_STRETCH));
      if (flow<D>(s, e)) {
        for (int k = 0; k < D; k++) sigma[k] = std::exp(e[k]);
        for (int k = 0; k < D; k++)
          for (int l = 0; l < D; l++) {
            double sum = 0;
            for (int n = 0; n < D; n++) sum += u[D * k + n] * sigma[n] * vt[D * n + l];
            f[D * k + l] = sum;
          }
      }
      for (int k = 0; k < D; k++) trace += e[k];
      for (int k = 0; k < D; k++) tau[k] = 2 * s.mu * e[k] + s.lambda * trace;
    }
    double* stress = s.stress.data() + D * D * i;
    for (int k = 0; k < D; k++)
      for (int l = k; l < D; l++) {
        double sum = 0;
        for (int n = 0; n < D; n++) sum += u[D * k + n] * u[D * l + n] * tau[n];
        stress[D * k + l] = stress[D * l + k] = sum;
      }
  }
}

template <int D>
void step(Scene& s) {
  std::fill(s.nodes.begin(), s.nodes.end(), 0.0);
  scatter<D>(s);
  updateGrid<D>(s);
  gather<D>(s);
  constitution<D>(s);
}

Scene read(const char* path) {
  FILE* file = std::fopen(path, "rb");
  double head[12];
  if (!file || std::fread(head, 8, 12, file) != 12) std::exit(1);
  Scene s;
  s.dim = static_cast<int>(head[0]);
  s.cells = static_cast<int>(head[1]);
  s.side = s.cells + 2;
  s.dx = 1.0 / s.cells;
  s.dt = head[2];
  s.count = static_cast<int>(head[3]);
  s.family = static_cast<int>(head[4]);
  s.mu = head[5];
  s.lambda = head[6];
  s.mass = head[7];
  s.volume = head[8];
  s.cone = head[9];
  s.bulk = head[10];
  s.bound = static_cast<int>(head[11]);
  const int d = s.dim;
  s.x.resize(s.count * d);
  s.v.resize(s.count * d);
  s.c.assign(s.count * d * d, 0.0);
  s.f.assign(s.count * d * d, 0.0);
  s.stress.assign(s.count * d * d, 0.0);
  s.nodes.resize(static_cast<size_t>(std::pow(s.side, d)) * (d + 1));
  for (int i = 0; i < s.count; i++)
    for (int k = 0; k < d; k++) s.f[d * d * i + (d + 1) * k] = 1;
  for (auto* part : {&s.x, &s.v})
    if (std::fread(part->data(), 8, part->size(), file) != part->size()) std::exit(1);
  std::fclose(file);
  return s;
}

}  // namespace

int main(int, char** argv) {
  Scene s = read(argv[1]);
  std::printf("{\"compiler\":\"g++ %s\"}\n", __VERSION__);
  std::fflush(stdout);
  int steps;
  while (std::scanf("%d", &steps) == 1) {
    const std::clock_t start = std::clock();
    for (int k = 0; k < steps; k++)
      if (s.dim == 2)
        step<2>(s);
      else
        step<3>(s);
    std::printf("{\"times\":[%.3f],\"losses\":[],\"peakMemory\":0}\n", 1000.0 * (std::clock() - start) / CLOCKS_PER_SEC);
    FILE* file = std::fopen(argv[2], "wb");
    std::fwrite(s.x.data(), 8, s.x.size(), file);
    std::fclose(file);
    std::fflush(stdout);
  }
}
