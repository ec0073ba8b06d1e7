/* @name@.cpp - a judge: how many words of the reference an answer mentions; several answers are ranked by it. */
#include "hone/hone.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace
{
enum { PASS }; /* places in the table of settings */
const hone_field pass =
    HONE_F64_INIT("pass", .5, 0, 1, 0, "share of the words from which an answer counts as good");
const hone_field *const fields[] = {&pass, nullptr};

/* 0..1: the share of the words of `reference` that occur in `text`; -1 when it has no words. */
double covered(std::string_view reference, std::string_view text)
{
    size_t words = 0, found = 0;
    const char *const blank = " \n\t\r";
    for (size_t at = reference.find_first_not_of(blank); at != std::string_view::npos;) {
        const size_t end = std::min(reference.find_first_of(blank, at), reference.size());
        words++;
        found += text.find(reference.substr(at, end - at)) != std::string_view::npos;
        at = reference.find_first_not_of(blank, end);
    }
    return words ? static_cast<double>(found) / static_cast<double>(words) : -1;
}

class @name@
{
  public:
    @name@(hone::host, hone::config c) : pass_(c.f64(PASS)) {}
    void judge(const hone::items &in, hone::verdicts &out) const
    {
        for (size_t i = 0; i < in.size() && !in.cancelled(); i++)
            one(in[i], i, out);
    }

  private:
    void one(const hone_judge_item &it, size_t i, hone::verdicts &out) const
    {
        std::vector<double> share(it.n_candidates);
        if (share.empty())
            throw hone::error(HONE_E_INVALID, "an item without candidates");
        for (size_t k = 0; k < share.size(); k++)
            share[k] = covered(hone::view(it.reference), hone::view(it.candidates[k]));
        if (share[0] < 0) {
            out.abstain(i, "there is no reference");
        } else if (share.size() == 1) {
            out.score(i, share[0], share[0] >= pass_ ? "good" : "too little of the reference");
        } else {
            std::vector<uint32_t> order(share.size());
            std::iota(order.begin(), order.end(), 0u);
            std::stable_sort(order.begin(), order.end(),
                             [&](uint32_t a, uint32_t b) { return share[a] > share[b]; });
            hone_verdict v{};
            v.struct_size = sizeof v;
            v.status = HONE_SCORE;
            v.score = std::nan("");
            v.ranking = order.data();
            v.n_ranking = order.size();
            out.put(i, v);
        }
    }
    double pass_;
};

const hone_component component = hone::judge<@name@>(
    "@id@", "0.1.0", "words of the reference that an answer mentions",
    HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT | HONE_CAP_BATCH_INVARIANT, fields);
} // namespace

HONE_CPP_PLUGIN(0x000100, &component);
