/* What the load generators have in common: clocks, and what the server has used of its processor. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Scheduler time of all threads alive; threads that ended are in the process clock only. */
static uint64_t scheduled_ns(int pid)
{
	char path[300];
	uint64_t sum = 0, one;
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks) fail(path);
	while ((entry = readdir(tasks))) {
		snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, entry->d_name);
		FILE *f = entry->d_name[0] == '.' ? NULL : fopen(path, "r");

		if (f && fscanf(f, "%lu", &one) == 1) sum += one;
		if (f) fclose(f);
	}
	closedir(tasks);
	return sum;
}
