/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "holder.h"
#include "lock.h"
#include "pins.h"

static uint64_t lock_deadline(double wait)
{
	return clock_ns(CLOCK_MONOTONIC) + (uint64_t)(wait * 1e9);
}

static int lock_take(int fd, int how, uint64_t until)
{
	const struct timespec nap = {.tv_nsec = 10000000};

	while (flock(fd, how | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_ns(CLOCK_MONOTONIC) >= until)
			return -EBUSY;
		nanosleep(&nap, NULL);
	}
	return 0;
}

/*
 * flock admits readers while there are readers, so overlapping readers would keep a writer out for
 * ever. Therefore every process passes a queue first, a lock on `inner`: readers pass at once, a
 * writer keeps it until the readers before it have ended, and later ones wait behind it. It only
 * gives an order; the lock works without it: where nothing is loaded yet, that directory does not
 * exist.
 */
static int take_in_turn(int dir, bool write, uint64_t until)
{
	int turnstile = openat(dir, "inner", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int how = write ? LOCK_EX : LOCK_SH;
	int err = 0;

	if (turnstile < 0 && errno != ENOENT)
		return -errno;
	if (turnstile >= 0)
		err = lock_take(turnstile, how, until);
	if (turnstile >= 0 && !write)
		close(turnstile);
	if (!err)
		err = lock_take(dir, how, until);
	if (turnstile >= 0 && write)
		close(turnstile);
	return err;
}

static int say_locked(int dir, double wait, struct err *e)
{
	char holder[HOLDER_TEXT_SIZE] = "another mangle-ctl";

	holder_text(dir, holder);
	fail(e, -EBUSY, STORE_DIR,
	     "taking the lock: held for more than %g s by %s (try again, or wait longer: --wait SECONDS)",
	     wait, holder);
	e->status = EXIT_LOCK_BUSY;
	return -EBUSY;
}

/* The lock is on the directory, and counts only if the directory still exists once it is held.
 * Returns 0, -ENOENT without e set where it does not, or negative errno with e set. */
static int lock(int dir, bool write, double wait, uint64_t until, struct err *e)
{
	struct stat held, there;
	int err = take_in_turn(dir, write, until);

	if (err == -EBUSY)
		return say_locked(dir, wait, e);
	if (err)
		return fail(e, err == -ENOENT ? -EIO : err, STORE_DIR, "taking the lock: %s",
			    strerror(-err));
	if (fstat(dir, &held))
		return fail(e, -errno, STORE_DIR, "looking at it: %s", strerror(errno));
	err = pin_check_owner(STORE_DIR, &held, e);
	if (err)
		return err;
	return !stat(STORE_DIR, &there) && there.st_ino == held.st_ino ? 0 : -ENOENT;
}

int lock_open(bool create, bool write, double wait, int *dir, struct err *e)
{
	const uint64_t until = lock_deadline(wait);
	int err;

	/* A directory that another user created is refused later. */
	if (write && geteuid() != 0)
		return fail(e, -EPERM, STORE_DIR,
			    "changing its content: permission denied (root is needed)");
	for (;;) {
		if (create && mkdir(STORE_DIR, 0700) && errno != EEXIST)
			return fail(e, -errno, STORE_DIR, "creating it: %s", strerror(errno));
		*dir = open(STORE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (*dir < 0 && errno == ENOENT)
			return -ENOENT;
		if (*dir < 0)
			return fail(e, -errno, STORE_DIR, "opening it: %s%s", strerror(errno),
				    errno == EACCES ? " (root is needed)" : "");
		err = lock(*dir, write, wait, until, e);
		if (err != -ENOENT)
			return err;
		close(*dir); /* it was purged while this run waited */
		*dir = -1;
	}
}

int lock_again(int dir, double wait, struct err *e)
{
	int err = lock(dir, false, wait, lock_deadline(wait), e);

	if (err)
		lock_release(dir);
	return err;
}

void lock_release(int dir)
{
	flock(dir, LOCK_UN);
}

int lock_make_exclusive(int dir, double wait)
{
	return lock_take(dir, LOCK_EX, lock_deadline(wait));
}
