// Scores an ensemble of trees: a row at a time by walking, many rows by striking out leaves where that is
// faster.
#pragma once

#include <memory>
#include <mutex>

#include "link.hpp"
#include "tree_bits.hpp"
#include "tree_walk.hpp"

namespace flyball {

class Trees {
 public:
  explicit Trees(Ensemble e) : e_(std::move(e)), small_fits_(Small::fits(e_)) {}
  Trees(const Trees&) = delete;
  Trees& operator=(const Trees&) = delete;

  const Ensemble& ensemble() const { return e_; }

  // The answers of one row, into room for e.groups sums.
  template <class T, class Sum>
  void one(const Rows<T>& row, bool raw, Sum* out) const {
    for (std::int32_t g = 0; g < e_.groups; ++g) out[g] = static_cast<Sum>(e_.start[g]);
    walk(row, out);
    answer(e_, raw, out);
  }

  // The answers of many rows: answers(e, raw) for each, one row after another.
  template <class T, class Sum>
  void many(const Rows<T>& rows, bool raw, Sum* out) const {
    const std::int32_t wide = answers(e_, raw);
    std::vector<Sum> sums(static_cast<std::size_t>(kBlock * e_.groups));
    const TreeBits* bits = rows.count >= kFewRows ? bits_or_none() : nullptr;
    std::vector<float> narrowed;
    for (std::int64_t from = 0; from < rows.count; from += kBlock) {
      const std::int64_t count = std::min(kBlock, rows.count - from);
      for (std::int64_t i = 0; i < count * e_.groups; ++i) {
        sums[i] = static_cast<Sum>(e_.start[i % e_.groups]);
      }
      const Rows<T> block{rows.values + from * rows.row_step, count, rows.row_step, rows.column_step};
      if (bits == nullptr) {
        walk(block, sums.data());
      } else if (sizeof(T) == sizeof(double) && e_.narrow) {
        bits->add(narrow(block, narrowed), sums.data());
      } else {
        bits->add(block, sums.data());
      }
      for (std::int64_t row = 0; row < count; ++row) {
        answer(e_, raw, sums.data() + row * e_.groups);
        std::copy_n(sums.data() + row * e_.groups, wide, out + (from + row) * wide);
      }
    }
  }

 private:
  using Small = Walker<float, std::uint16_t>;
  using Wide = Walker<double, std::uint32_t>;
  static constexpr std::int64_t kFewRows = 16;

  template <class T, class Sum>
  void walk(const Rows<T>& rows, Sum* sums) const {
    if (small_fits_ && (sizeof(T) == sizeof(float) || e_.narrow)) {
      std::call_once(small_once_, [this] { small_ = std::make_unique<Small>(e_); });
      small_->add(rows, sums);
    } else {
      std::call_once(wide_once_, [this] { wide_ = std::make_unique<Wide>(e_); });
      wide_->add(rows, sums);
    }
  }

  const TreeBits* bits_or_none() const {
    std::call_once(bits_once_, [this] {
      if (!TreeBits::fits(e_)) return;
      bits_ = std::make_unique<TreeBits>(e_);
      if (!bits_->worthwhile()) bits_.reset();
    });
    return bits_.get();
  }

  template <class T>
  Rows<float> narrow(const Rows<T>& rows, std::vector<float>& room) const {
    room.resize(static_cast<std::size_t>(kBlock) * static_cast<std::size_t>(e_.features));
    for (std::int64_t row = 0; row < rows.count; ++row) {
      for (std::int64_t column = 0; column < e_.features; ++column) {
        room[row * e_.features + column] = static_cast<float>(rows.at(row, column));
      }
    }
    return {room.data(), rows.count, e_.features, 1};
  }

  Ensemble e_;
  bool small_fits_;
  mutable std::once_flag small_once_, wide_once_, bits_once_;
  mutable std::unique_ptr<Small> small_;
  mutable std::unique_ptr<Wide> wide_;
  mutable std::unique_ptr<TreeBits> bits_;
};

}  // namespace flyball
