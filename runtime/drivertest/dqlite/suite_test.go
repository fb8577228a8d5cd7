package dqlite

import (
	"testing"

	_ "github.com/mattn/go-sqlite3" // makes the schemas

	"github.com/lockstep-db/lockstep/runtime/internal/suite"
)

// TestSuite runs the suite of package runtime on a cluster of one node, as far as it applies.
func TestSuite(t *testing.T) {
	node := newNode(t)
	t.Setenv(suiteVar, node.Address()) // for its programs: see TestMain
	skip := make(map[string]string)
	for why, names := range skipped {
		for _, name := range names {
			skip[name] = why
		}
	}
	suite.Run(t, suite.Driver{
		Name:   node.Driver(),
		DSN:    func(name string, _ suite.Settings) string { return name },
		Replay: "sqlite3",
		Server: true,
		Skip:   skip,
	})
}

// skipped are groups and claims that do not apply, by what they are about.
var skipped = map[string][]string{
	"files, which dqlite does not have": {
		"WaitsForTheLockOfAFileInOneGo",
		"File", "Memory", "Backup", "KeepsTheBackupOfWhatItBeganWith",
		"RefusesCorruptFile", "APathThatNamesALeaderIsNoServer", "RefusesFileThatIsNotADatabase", "RefusesFileThatCannotBeOpened",
		"MigrateRefusesReadOnlyDatabaseThatIsBehind", "AnotherDatabaseThatIsReadOnlyIsTheMigrations",
		"ReadsTheVersionOfNoOtherDatabase", "RefusesReadOnlyDatabase", "NamesTheFirstOfSeveralEditedMigrations",
		"DivergenceQuotesFiles", "WatchTellsOfAFileThatIsNoDatabaseAnyLonger", "WatchTellsOfAFileThatIsReplaced",
		"WatchTellsOfAFileThatIsDeleted", "WatchTellsOfAFileThatIsWrittenOverWithoutSQLite", "WatchTellsOfAnUpgradeInAnotherWAL",
		"CheckWaitsForAFileThatTakesThePlaceOfAnother", "MigrateWaitsForAFileThatTakesThePlaceOfAnother", "WatchSharesADatabaseInMemory", "NamesChangesWithoutRunningOtherStatementsAgain",
		"TimeoutDoesNotBoundTheRollbackOfAKilledProgram", "SucceedsAtHeadOnReadOnlyFile", "MigrateWaitsForAsLongAsTheTimeout", "FastmigrateReadsTheVersion",
	},
	"other journal modes, which end a node": {
		"DoesNotRunAgainWhatHasNoTransaction",
		"AcceptsDatabaseInWAL", "WriterDoesNotDelayStartThatWouldRecordACookie", "WritesNothingAtHead", "ProtectWhateverIsWritten",
		"FailureInJournalModeOffChangesNothing", "FailureInJournalModeMemoryChangesNothing",
		"AVersionThatIsReadOutsideOfTheTransactionKeepsNothingOut",
	},
	"a reader that locks writers out": {
		"CheckTxFindsTheDatabaseLocked", "CheckAndMigrateRefuseDatabaseLockedExclusively", "ContextBoundsTheWait",
		"TimeoutBoundsTheWaitOfALongerBusyTimeout", "TimeoutBoundsTheWaitOfAShorterBusyTimeout",
		"CommitWaitsForReaders", "CommitThatStaysBusyChangesNothing", "CommitDoesNotObeyTheContext",
	},
	"statements of a connection that are interrupted": {
		"ContextThatEndsInterruptsAStatement", "AContextThatEndsReadingIsNoLock", "CheckTxWithAContextThatHasEndedSaysSo",
		"TimeoutDoesNotBoundReading",
		"ContextThatEndsInterruptsAQuery", "ContextThatEndsInterruptsAQueryWithAContextOfItsOwn", "ContextThatEndsInterruptsAnExecWithAContextOfItsOwn",
		"ContextThatEndsInterruptsAPreparedStatement", "ContextThatEndsInterruptsWhatIgnoresIt", "ContextOfAStatementThatEndsIsAFailureOfIt",
		"GoesOnAfterTheContextOfAQueryHasEnded", "GoroutineThatNobodyWaitsForIsAFailure",
	},
	"databases that cannot be written to, which dqlite does not have": {
		"MigrateWaitsUntilAnotherProcessHasUpgraded", "MigrateWaitsForAFileThatIsNotThereYet",
	},
	"errors between rows, of which the driver loses the text": {
		"UpgradesDatabaseWithAnOldMismatchOfARebuiltTable", "UpgradesDatabaseWithAnOldMismatchOfARenamedTable",
		"NamesAForeignKeyThatCanNoLongerBeChecked", "AMismatchDoesNotHideOrphansOfItsTable",
		"InsertOrRollbackReturningChangesNothing", "SecondRowChangesNothing", "SecondRowReturningChangesNothing",
		"FailureOfAnyStatementLeavesOldOrNew", "NamesTheRowsOfACopyWithANamedCheck",
		"NamesTheRowsOfABackfillThatCannotBeComputed", "LogsForeignKeysThatWereViolatedBefore", "SQLitesSentenceIsQuoted",
		"DoesNothingMoreAfterAFailedQuery", "DoesNothingMoreAfterAFailedQueryRow", "DoesNothingMoreAfterAFailedPreparedQuery",
	},
	"pragmas that return rows when they are executed": {
		"OfTheConnectionDoNotChangeWhatAMigrationDoes", "OfTheConnectionComeBackAfterAFailure", "FullDiskChangesNothing",
		"AcceptsWhatLooksLikeTransactionControl", "SettingsThatItMayChangeArePutBack", "DoesNothingMoreOnAFullDisk",
	},
	"arguments that are missing, which the driver takes for NULL": {"GoesOnAfterAHandledLackOfArguments"},
	"a database in memory, which tells what the migrations make": {
		"RefusesToLoseAColumnOfARebuiltTable", "RefusesToLoseAColumnOfATableThatIsRenamedBefore",
		"RefusesToLoseAColumnOfATableThatIsRenamedAway", "RefusesToLoseAColumnOfADroppedTable",
		"RefusesToLoseAColumnThatTheMigrationMakesToo", "RefusesToLoseColumnsOfTwoTables", "RefusesToLoseATable",
		"RefusesToLoseWhatAProgramLoses", "RefusesToLoseZerosThatMakeATextNoNumber", "RefusesToLoseTheLastZeroOfANumber",
		"RefusesToLoseFractions", "RefusesToLoseWords", "RefusesToLoseAColumnWithoutAFingerprint",
		"RefusesToLoseAColumnThatAnotherToolMade", "RefusesToLoseAColumnAfterAnotherTransaction",
		"RefusesToLoseAColumnWithoutATransaction", "RefusesToLoseAColumnOfAnEnrolledDatabase",
		"UnexpectedColumnChangesNothing", "NamesAnIndexThatIsMissing", "NamesATriggerThatIsMissing",
		"NamesAViewThatIsMissing", "NamesATableThatIsMissing", "NamesAColumnThatIsMissing", "NamesAColumnThatIsRenamed",
		"NamesAColumnThatWasAdded", "NamesATableThatWasAdded", "NamesAnIndexThatWasAdded", "NamesAViewThatWasAdded",
		"NamesATriggerThatWasAdded", "NamesAUniqueIndexThatWasAdded", "NamesAnIndexThatIsDifferent",
		"NamesChangesAfterAProgramIfTheFingerprintTells", "NamesVersionsThatDifferIfAStatementCannotRun",
		"NamesNoVersionsThatAreTheSame", "ReportsNoStatementDoneThatFailed",
	},
	"migrations without a transaction": {
		"NoTransaction", "ReportsThatItWaitsToRecordWhatRanAlone", "AMigrationWithoutATransactionIsComparedWithWhatWasBeforeIt",
		"LogsAllOfAMigrationWithoutATransaction", "LogsWhatAMigrationWithoutATransactionDropsBeforeItFails",
		"NamesNoChangesOfTheMigrationItself",
	},
}
