// An ensemble of decision trees as it was read: what every way of scoring is made from.
//
// One question for all libraries: a row goes left if its value <= threshold, where x < t was turned into x <=
// the value before t. What goes left instead of a comparison (missing, zero, a category) is told by marks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace flyball {

// Marks of a node.
constexpr std::uint8_t kMissingLeft = 1;  // missing goes left
constexpr std::uint8_t kZeroMissing = 2;  // what is within 1e-35 of zero is missing too
constexpr std::uint8_t kCategory = 4;     // left if the value's category is in the node's set
constexpr std::uint8_t kFromZero = 8;     // -0.5 is no category; without it, it is category 0

// As LightGBM: the float32 next to 1e-35.
constexpr double kZero = static_cast<double>(1e-35f);

// What a sum becomes.
enum class Link : std::int32_t {
  kIdentity, kSigmoid, kExp, kWideExp, kSoftmax, kSignedSquare, kSoftplus, kHinge, kArgmax, kIsolation
};

// Children are numbers of nodes if >= 0, else ~number of a leaf, both counted within the tree. Every child
// comes after its parent and has one parent: flyball.kernels.ensemble holds that before it comes here.
struct Ensemble {
  std::int32_t features = 0;
  std::int32_t groups = 1;
  bool narrow = false;  // values are rounded to float32 before they are compared
  bool single = false;  // sums are float32
  std::vector<std::int32_t> group;                       // of each tree
  std::vector<std::int64_t> node_from, leaf_from;        // of each tree, and the end
  std::vector<std::int32_t> feature, left, right;        // of each node
  std::vector<double> threshold;                         // of each node; the number of its set if categorical
  std::vector<std::uint8_t> marks;                       // of each node
  std::vector<double> leaf;
  std::vector<std::int64_t> set_from;                    // of each set, in words
  std::vector<std::uint32_t> set_words;
  std::vector<double> start;                             // of each group's sum
  double divisor = 1;                                    // of each sum, before the link
  Link link = Link::kIdentity;
  double slope = 1;                                      // of the sigmoid

  std::int64_t trees() const { return static_cast<std::int64_t>(group.size()); }
  std::int64_t nodes(std::int64_t tree) const { return node_from[tree + 1] - node_from[tree]; }

  // Whether the value's category is in a set; what is no category is in none.
  bool holds(std::int64_t set, double value, bool from_zero) const {
    if (!((from_zero ? value >= 0 : value > -1) && value < 2147483648.0)) return false;
    const auto category = static_cast<std::int64_t>(value);
    const std::int64_t word = set_from[set] + (category >> 5);
    return word < set_from[set + 1] && ((set_words[word] >> (category & 31)) & 1U) != 0;
  }
};

// Whether a row goes left at a categorical node.
inline bool category_left(const Ensemble& e, std::int64_t set, double value, std::uint8_t marks) {
  if (value != value) return (marks & kMissingLeft) != 0;
  return e.holds(set, value, (marks & kFromZero) != 0);
}

// The largest float that is not above: x <= threshold holds for the same floats x as before.
inline float floor_to_float(double threshold) {
  if (threshold > std::numeric_limits<float>::max()) {
    return std::isinf(threshold) ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::max();
  }
  if (threshold < -static_cast<double>(std::numeric_limits<float>::max())) {
    return -std::numeric_limits<float>::infinity();
  }
  const auto near = static_cast<float>(threshold);
  if (static_cast<double>(near) <= threshold) return near;
  return std::nextafter(near, -std::numeric_limits<float>::infinity());
}

// Where the rows lie: steps are counted in values.
template <class T>
struct Rows {
  const T* values;
  std::int64_t count, row_step, column_step;
  T at(std::int64_t row, std::int64_t column) const { return values[row * row_step + column * column_step]; }
};

}  // namespace flyball
