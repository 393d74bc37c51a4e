import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BRAKE_NAMES } from '../../core/brake.ts';
import { done, fail } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { since } from '../../core/time.ts';
import type { Millis } from '../../core/time.ts';
import { sleep } from '../../ports/clock.ts';
import type { CommitHold } from '../../ports/postgres.ts';
import { parseBrakeRow } from '../../wire/postgres/brake-row.ts';
import { brakeFile } from './configuration.ts';
import type { Context } from './context.ts';
import { exists, makePrivateDirectory } from './durable-files.ts';
import type { HbaGuard } from './hba-guard.ts';
import { localEndpoint } from './local-session.ts';
import type { LocalSession } from './local-session.ts';
import { quoteGuc } from './parameters.ts';
import { signalPostmaster } from './postmaster.ts';
import { SqlConnection } from './sql-connection.ts';
import { messageOf } from './thrown.ts';

const PRIVATE_FILE = 0o600;
const LOOK_EVERY_MILLIS: Millis = 4;
/** The reload is not kept waiting for longer for what only spares the log a line. */
const GUARD_MILLIS: Millis = 25;
/** A disk that hangs must not keep the caller. */
const RELEASE_MILLIS: Millis = 500;
/** Longer than any lease: the commit that waits is let go, or ends with its server. */
const WAIT_MAX_MILLIS: Millis = 86_400_000;

const WHO = `SELECT pg_catalog.pg_backend_pid() AS pid, pg_catalog.pg_is_in_recovery() AS standby`;
/** A transaction that writes log and nothing else; the setting is gone with it. */
const COMMIT = `SELECT pg_catalog.set_config('synchronous_commit', 'on', true),
  pg_catalog.pg_logical_emit_message(true, 'pgbaton', '')`;
const WAITS = `SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND wait_event = 'SyncRep'`;
const SHOWS = `SELECT 1
  WHERE pg_catalog.current_setting('synchronous_standby_names') = $1`;

const unseen = (why: string): CommitHold => ({ kind: 'unseen', why });

interface Backend {
  readonly connection: SqlConnection;
  readonly pid: number;
}

/** A commit of our own, on a connection of its own: the proof that commits wait. */
interface Witness {
  readonly connection: SqlConnection;
  answered: boolean;
  readonly ended: Promise<void>;
}

/**
 * `synchronous_standby_names` set to a name that nobody has, in a file that is included last and that
 * no start finds. Whether a commit waits is decided by a flag that the checkpointer alone sets once it
 * has read the file, and it does not look while it is busy with a checkpoint: so a commit of our own has
 * to be seen waiting (syncrep.c, checkpointer.c: CheckpointWriteDelay).
 */
export class CommitBrake {
  readonly #context: Context;
  readonly #session: LocalSession;
  readonly #guard: HbaGuard;
  /** Writing and removing the file, one after the other, however long the disk takes for either. */
  #files: Promise<unknown> = Promise.resolve();
  /** Put on by this process, and not released since. */
  #asked = false;
  #witness: Witness | undefined;

  constructor(context: Context, session: LocalSession, guard: HbaGuard) {
    this.#context = context;
    this.#session = session;
    this.#guard = guard;
  }

  async hold(timeoutMillis: Millis): Promise<CommitHold> {
    const { clock } = this.#context;
    const begun = clock.now();
    const leftMillis = (): Millis => timeoutMillis - since(begun, clock.now());
    this.#asked = true;
    const late = sleep(clock, timeoutMillis).then(() =>
      unseen(`no commit was seen waiting within ${timeoutMillis} ms`),
    );
    return Promise.race([this.#hold(leftMillis), late]);
  }

  async #hold(leftMillis: () => Millis): Promise<CommitHold> {
    const [told, backend] = await Promise.all([this.#tell(), this.#open(leftMillis)]);
    if (typeof backend !== 'object') {
      return backend === 'standby' ? { kind: 'standby' } : unseen(backend);
    }
    if (!told.ok) {
      backend.connection.abandon();
      return unseen(told.error.message);
    }
    return this.#look(backend, leftMillis);
  }

  async #tell(): Promise<Result<void>> {
    try {
      await this.#inTurn(() => this.#write());
    } catch (error) {
      return fail('postgres-brake-not-written', messageOf(error));
    }
    await this.#guard.openWithin(GUARD_MILLIS);
    return signalPostmaster(this.#context.settings().dataDir, 'SIGHUP');
  }

  /** Not synced to disk: it is to be gone after a crash. */
  async #write(): Promise<void> {
    const file = brakeFile(this.#context);
    const temporary = `${file}.new`;
    await makePrivateDirectory(join(file, '..'));
    const text = `synchronous_standby_names = ${quoteGuc(BRAKE_NAMES)}\n`;
    await writeFile(temporary, text, { mode: PRIVATE_FILE });
    await rename(temporary, file);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#files.then(work);
    this.#files = mine.catch(() => undefined);
    return mine;
  }

  /** Answers a text: why there is none. */
  async #open(leftMillis: () => Millis): Promise<Backend | string> {
    const endpoint = await localEndpoint(this.#context);
    const opened = await SqlConnection.open(this.#context.clock, endpoint, leftMillis());
    if (!opened.ok) return opened.error.message;
    const connection = opened.value;
    const answer = await connection.query(WHO, [], leftMillis());
    const row = answer.ok ? parseBrakeRow(answer.value[0]) : undefined;
    if (row !== undefined && !row.standby) return { connection, pid: row.pid };
    connection.abandon();
    if (row !== undefined) return 'standby';
    return answer.ok ? 'the server was not understood' : answer.error.message;
  }

  /** Commits until one waits. One that was acknowledged came before the checkpointer looked. */
  async #look({ connection, pid }: Backend, leftMillis: () => Millis): Promise<CommitHold> {
    const { clock } = this.#context;
    while (leftMillis() > 0) {
      const witness = commit(connection);
      while (!witness.answered && leftMillis() > 0) {
        const looked = await this.#session.use(leftMillis(), (session, restMillis) =>
          session.query(WAITS, [pid], restMillis()),
        );
        if (looked.ok && looked.value.length > 0 && !witness.answered && leftMillis() > 0) {
          this.#witness?.connection.abandon();
          this.#witness = witness;
          return { kind: 'waits', ended: witness.ended };
        }
        await sleep(clock, LOOK_EVERY_MILLIS);
      }
      if (connection.broken !== undefined) return unseen(connection.broken.message);
    }
    connection.abandon();
    return unseen('the time was over');
  }

  /** A running server that no process has braked is not made to read its files. */
  async release(): Promise<Result<void>> {
    const late = sleep(this.#context.clock, RELEASE_MILLIS).then((): Result<void> =>
      fail('postgres-brake-not-released', 'the disk or the server does not answer'),
    );
    return Promise.race([this.#release(), late]);
  }

  async #release(): Promise<Result<void>> {
    const file = brakeFile(this.#context);
    try {
      const there = await this.#inTurn(async () => {
        const found = await exists(file);
        await rm(file, { force: true });
        return found;
      });
      if (!this.#asked && !there && !(await this.#isShown())) return done;
      await this.#guard.openWithin(GUARD_MILLIS);
      const told = await signalPostmaster(this.#context.settings().dataDir, 'SIGHUP');
      if (!told.ok && told.error.code !== 'postgres-not-running') return told;
    } catch (error) {
      return fail('postgres-brake-not-released', `${file}: ${messageOf(error)}`);
    }
    this.#asked = false;
    const witness = this.#witness;
    this.#witness = undefined;
    if (witness !== undefined) void witness.ended.then(() => witness.connection.close());
    return done;
  }

  async #isShown(): Promise<boolean> {
    const answer = await this.#session.use(RELEASE_MILLIS, (connection, leftMillis) =>
      connection.query(SHOWS, [BRAKE_NAMES], leftMillis()),
    );
    return answer.ok && answer.value.length > 0;
  }

  close(): void {
    this.#witness?.connection.abandon();
    this.#witness = undefined;
  }
}

function commit(connection: SqlConnection): Witness {
  const answer = connection.query(COMMIT, [], WAIT_MAX_MILLIS);
  const witness: Witness = {
    connection,
    answered: false,
    ended: answer.then(() => {
      witness.answered = true;
    }),
  };
  return witness;
}
