// Drift of columns: flyball.kernels.histogram, sketch and distances.
#include "bind.hpp"

#include "../distances.hpp"
#include "../histogram.hpp"
#include "../sketch.hpp"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <utility>
#include <vector>

template <typename T>
using Strided = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;

template <typename T>
static void count(Strided<T> values, Table<double> edges, TableOut<std::int64_t> counts) {
  nb::gil_scoped_release unlocked;
  const auto rows = static_cast<std::int64_t>(values.shape(0));
  const auto columns = static_cast<std::int64_t>(values.shape(1));
  flyball::Binning<T> binning(edges.data(), columns, static_cast<std::int64_t>(edges.shape(1)));
  binning.count({values.data(), rows, columns, values.stride(0), values.stride(1)});
  binning.add_to(rows, counts.data());
}

// Gives each column's rows to `work`: `most` at a time where they are copied out of a table row by row.
template <typename T, typename Work>
static void each_column(const Strided<T>& values, std::int64_t most, Work work) {
  const auto rows = static_cast<std::int64_t>(values.shape(0));
  const auto columns = static_cast<std::int64_t>(values.shape(1));
  const flyball::Grid<T> grid{values.data(), rows, columns, values.stride(0), values.stride(1)};
  if (grid.down == 1 || rows <= 1) {
    for (std::int64_t i = 0; i < columns; ++i) work(grid.values + i * grid.across, rows, i);
    return;
  }
  most = std::min(most, rows);
  const std::int64_t apart = most + 8;  // not a power of two: columns would share cache sets
  flyball::Room<T> held(static_cast<std::size_t>(apart * flyball::kTogether));
  for (std::int64_t row = 0; row < rows; row += most) {
    const std::int64_t many = std::min(most, rows - row);
    for (std::int64_t first = 0; first < columns; first += flyball::kTogether) {
      const std::int64_t together = std::min(flyball::kTogether, columns - first);
      flyball::gather(grid, row, first, many, together, held.data(), apart);
      for (std::int64_t i = 0; i < together; ++i) work(held.data() + i * apart, many, first + i);
    }
  }
}

// Sorts what is there of each column of `values` into its part of `sorted`; `counts` tells how much.
template <typename T>
static void sort_columns(Strided<T> values, TableOut<double> sorted, IntsOut counts) {
  nb::gil_scoped_release unlocked;
  flyball::DigitSort sorter;
  const auto whole = static_cast<std::int64_t>(values.shape(0));
  each_column<T>(values, whole, [&](const T* column, std::int64_t rows, std::int64_t number) {
    const auto& made = sorter.sort(column, rows);
    std::copy(made.begin(), made.end(), sorted.data() + number * rows);
    counts.data()[number] = static_cast<std::int64_t>(made.size());
  });
}

// `out` (3, columns): Kolmogorov-Smirnov, Wasserstein, rows that were there; NaN where a side has none.
template <typename T>
static void apart(Table<double> reference, Ints lengths, Strided<T> values, TableOut<double> out) {
  nb::gil_scoped_release unlocked;
  const std::int64_t columns = static_cast<std::int64_t>(values.shape(1));
  flyball::DigitSort sorter;
  const auto whole = static_cast<std::int64_t>(values.shape(0));
  each_column<T>(values, whole, [&](const T* column, std::int64_t rows, std::int64_t number) {
    const auto& made = sorter.sort(column, rows);
    const auto many = static_cast<std::int64_t>(made.size());
    const double* left = reference.data() + number * static_cast<std::int64_t>(reference.shape(1));
    const auto found = flyball::apart(left, lengths.data()[number], made.data(), many);
    out.data()[number] = found.ks;
    out.data()[columns + number] = found.wasserstein;
    out.data()[2 * columns + number] = static_cast<double>(many);
  });
}

// The sketches of some columns. What one holds is told as figures and doubles, alike on every path.
class Sketches {
 public:
  Sketches(std::int64_t columns, std::uint64_t seed) {
    for (std::int64_t i = 0; i < columns; ++i) columns_.emplace_back(seed + static_cast<std::uint64_t>(i));
  }

  template <typename T>
  void push(Strided<T> values) {
    nb::gil_scoped_release unlocked;
    constexpr std::int64_t kNear = 512;  // rows of eight columns that stay in the first cache
    each_column<T>(values, kNear, [&](const T* column, std::int64_t rows, std::int64_t number) {
      columns_[static_cast<std::size_t>(number)].push(column, rows, sorter_);
    });
  }

  void merge(const Sketches& other) {
    const std::vector<flyball::Sketch> taken(other.columns_);  // a sketch may be merged with itself
    for (std::size_t i = 0; i < columns_.size(); ++i) columns_[i].merge_with(taken[i], sorter_);
  }

  using Figures = std::vector<std::uint64_t>;
  using Items = std::vector<std::vector<double>>;

  // (seed, draws, count, missing, base, met, pick, opposite, coins), then (low, high, held) and every level.
  std::pair<Figures, Items> told(std::size_t column) const {
    const auto& s = columns_[column];
    Items items{{s.low, s.high, s.held}};
    items.insert(items.end(), s.levels.begin(), s.levels.end());
    const auto base = static_cast<std::uint64_t>(s.base);
    const Figures figures{s.seed, s.draws, s.count, s.missing, base, s.met, s.pick, s.opposite, s.coins};
    return {figures, std::move(items)};
  }

  void restore(std::size_t column, const Figures& figures, const Items& items) {
    auto& s = columns_[column];
    s.seed = figures[0], s.draws = figures[1], s.count = figures[2], s.missing = figures[3];
    s.base = static_cast<int>(figures[4]), s.met = figures[5], s.pick = figures[6];
    s.opposite = figures[7], s.coins = figures[8];
    s.low = items[0][0], s.high = items[0][1], s.held = items[0][2];
    std::copy(items.begin() + 1, items.end(), s.levels.begin());
  }

  // Adds items of a level: of a summary that comes from elsewhere.
  void add(std::size_t column, const std::vector<double>& items, int level) {
    columns_[column].add(items, level, sorter_);
  }

  void tidy() {
    for (auto& column : columns_) column.tidy(sorter_);
  }

 private:
  std::vector<flyball::Sketch> columns_;
  flyball::SmallSort sorter_;
};

void bind_drift(nb::module_& m) {
  nb::class_<Sketches>(m, "Sketches")
      .def(nb::init<std::int64_t, std::uint64_t>())
      .def("push", &Sketches::push<double>)
      .def("push", &Sketches::push<float>)
      .def("merge", &Sketches::merge)
      .def("told", &Sketches::told)
      .def("restore", &Sketches::restore)
      .def("add", &Sketches::add)
      .def("tidy", &Sketches::tidy);
  m.def("count", &count<double>);
  m.def("count", &count<float>);
  m.def("sort_columns", &sort_columns<double>);
  m.def("sort_columns", &sort_columns<float>);
  m.def("apart", &apart<double>);
  m.def("apart", &apart<float>);
}
