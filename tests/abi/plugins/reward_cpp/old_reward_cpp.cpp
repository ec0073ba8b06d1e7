/* old_reward_cpp.cpp - a reward: the answer is in the text, and the text is about as long as wanted. */
#include "hone/hone.hpp"

#include <cmath>

namespace
{
enum { TARGET, BONUS }; /* places in the table of settings */
const hone_field target =
    HONE_I64_INIT("target", 40, 1, 100000, 0, "bytes that a completion should have");
const hone_field bonus =
    HONE_F64_INIT("bonus", .5, 0, 1, 0, "weight of the answer; the rest is for the length");
const hone_field *const fields[] = {&target, &bonus, nullptr};
const char *const wants[] = {"completion", "columns", nullptr};

class old_reward_cpp
{
  public:
    old_reward_cpp(hone::host, hone::config c)
        : target_(static_cast<double>(c.i64(TARGET))), bonus_(c.f64(BONUS))
    {
    }
    /* One call a batch. What it throws becomes the error of the batch, with its text. */
    void score(const hone::batch &in, hone::outcomes &out) const
    {
        for (size_t i = 0; i < in.size() && !in.cancelled(); i++) {
            const std::string_view text = in[i].completion(), answer = in[i].text("answer");
            if (answer.empty()) { /* not a zero: nobody could have known */
                out.abstain(i);
                continue;
            }
            const double length = static_cast<double>(text.size());
            const double off = std::abs(length - target_) / std::fmax(length, target_);
            const bool right = text.find(answer) != std::string_view::npos;
            out.note(i, "found", right ? "yes" : "no");
            out.score(i, bonus_ * right + (1 - bonus_) * (1 - off));
        }
    }

  private:
    double target_, bonus_;
};

const hone_component component = hone::reward<old_reward_cpp>(
    "org.example.reward.old_reward_cpp", "0.1.0", "the answer, in about the wanted length",
    HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT | HONE_CAP_BATCH_INVARIANT, fields,
    wants);
} // namespace

HONE_CPP_PLUGIN(0x000100, &component);
