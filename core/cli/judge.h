/* judge.h - the parts of `hone judge`, one file each: int hone_cli_judge_<part>(int argc, char **argv), and a line in
 * judge.c's table. argv[0] is the part's name; the exit code is returned. */
#ifndef HONE_CORE_CLI_JUDGE_H
#define HONE_CORE_CLI_JUDGE_H

int hone_cli_judge_lint(int argc, char **argv);
int hone_cli_judge_rubric(int argc, char **argv);
int hone_cli_judge_render(int argc, char **argv);
int hone_cli_judge_gate(int argc, char **argv);
int hone_cli_judge_run(int argc, char **argv);
int hone_cli_judge_calibrate(int argc, char **argv);
int hone_cli_judge_draw(int argc, char **argv);
int hone_cli_judge_reliability(int argc, char **argv);
int hone_cli_judge_attack(int argc, char **argv);
int hone_cli_judge_label(int argc, char **argv);
int hone_cli_judge_disagree(int argc, char **argv);
#endif
