#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn failed_block_takes_nothing_until_it_ends() {
    let mut settings = Settings::default();
    let mut transaction = Transaction::default();
    transaction.begin(&settings);
    transaction.fail();
    assert_eq!(
        transaction.check().unwrap_err().code(),
        Code::FailedTransaction
    );
    assert_eq!(transaction.commit(&mut settings), "ROLLBACK");
    assert_eq!(transaction.status(), TransactionStatus::Idle);
}

#[test]
fn savepoint_revives_a_failed_block_and_brings_settings_back() {
    let mut settings = Settings::default();
    let mut transaction = Transaction::default();
    transaction.begin(&settings);
    transaction.savepoint("a".into(), &settings, 0).unwrap();
    settings.set("timezone", Some("Europe/Berlin")).unwrap();
    transaction.fail();
    transaction.rollback_to("a", &mut settings).unwrap();
    assert_eq!(transaction.status(), TransactionStatus::InTransaction);
    assert_eq!(settings.time_zone(), "UTC");
    assert!(transaction.rollback_to("b", &mut settings).is_err());
}

#[test]
fn temporary_views_are_those_before_the_block_or_the_savepoint_again() {
    let mut settings = Settings::default();
    let mut transaction = Transaction::default();
    let made = |transaction: &mut Transaction, name: &str| {
        let input = lakegate_catalog::model::TableInput {
            name: name.to_owned(),
            ..lakegate_catalog::model::TableInput::default()
        };
        let next = transaction.temporary().with_view(input, Vec::new());
        transaction.set_temporary(next.unwrap());
    };
    let has =
        |transaction: &Transaction, name: &str| transaction.temporary().relation(name).is_some();
    made(&mut transaction, "before");
    transaction.begin(&settings);
    made(&mut transaction, "first");
    transaction.savepoint("s".into(), &settings, 0).unwrap();
    made(&mut transaction, "second");
    transaction.rollback_to("s", &mut settings).unwrap();
    assert!(has(&transaction, "first") && !has(&transaction, "second"));
    transaction.rollback(&mut settings);
    assert!(has(&transaction, "before") && !has(&transaction, "first"));
    transaction.begin(&settings);
    made(&mut transaction, "kept");
    assert_eq!(transaction.commit(&mut settings), "COMMIT");
    transaction.begin(&settings);
    made(&mut transaction, "lost");
    transaction.fail();
    assert_eq!(transaction.commit(&mut settings), "ROLLBACK");
    assert!(has(&transaction, "kept") && !has(&transaction, "lost"));
    transaction.begin(&settings);
    transaction.savepoint("s".into(), &settings, 0).unwrap();
    transaction.forget_temporary();
    transaction.rollback_to("s", &mut settings).unwrap();
    assert!(!has(&transaction, "kept"));
    transaction.rollback(&mut settings);
    assert!(!has(&transaction, "kept"));
}

#[test]
fn block_of_a_message_ends_with_it_unless_it_begins_one() {
    let mut settings = Settings::default();
    let mut transaction = Transaction::default();
    transaction.begin_implicit(&settings);
    assert!(transaction.is_implicit() && !transaction.is_explicit());
    let error = transaction.savepoint("s".into(), &settings, 0).unwrap_err();
    assert_eq!(error.code(), Code::NoActiveTransaction);
    settings.set("timezone", Some("Asia/Tokyo")).unwrap();
    transaction.fail();
    assert_eq!(transaction.commit(&mut settings), "ROLLBACK");
    assert_eq!(settings.time_zone(), "UTC");
    transaction.begin_implicit(&settings);
    assert!(!transaction.begin(&settings), "no block was open");
    assert!(transaction.is_explicit());
    transaction.begin_implicit(&settings);
    assert!(transaction.is_explicit());
    assert!(transaction.begin(&settings), "the second BEGIN warns");
}

#[test]
fn set_after_set_local_is_undone_with_its_savepoint() {
    let mut settings = Settings::default();
    let mut transaction = Transaction::default();
    transaction.begin(&settings);
    assert!(transaction.set_local("timezone", &settings).unwrap());
    settings.set("timezone", Some("Asia/Tokyo")).unwrap();
    transaction.savepoint("s".into(), &settings, 0).unwrap();
    settings.set("timezone", Some("Europe/Berlin")).unwrap();
    transaction.keep("timezone");
    transaction.rollback_to("s", &mut settings).unwrap();
    assert_eq!(settings.time_zone(), "Asia/Tokyo");
    transaction.commit(&mut settings);
    assert_eq!(settings.time_zone(), "UTC");
}

#[test]
fn set_local_lasts_as_long_as_its_block() {
    let mut settings = Settings::default();
    let mut transaction = Transaction::default();
    assert!(!transaction.set_local("timezone", &settings).unwrap());
    transaction.begin(&settings);
    assert!(transaction.set_local("timezone", &settings).unwrap());
    settings.set("timezone", Some("Asia/Tokyo")).unwrap();
    transaction.commit(&mut settings);
    assert_eq!(settings.time_zone(), "UTC");
}

#[test]
fn a_block_is_bounded() {
    let mut settings = Settings::default();
    let mut transaction = Transaction::default();
    transaction.begin(&settings);
    for index in 0..MAX_SAVEPOINTS {
        transaction
            .savepoint(format!("s{index}"), &settings, 0)
            .unwrap();
    }
    let error = transaction
        .savepoint("one".into(), &settings, 0)
        .unwrap_err();
    assert_eq!(error.code(), Code::TooManyQueries);
    transaction.release("s5").unwrap();
    transaction.savepoint("one".into(), &settings, 0).unwrap();
    for value in ["Asia/Tokyo", "Europe/Berlin", "Asia/Tokyo"] {
        assert!(transaction.set_local("timezone", &settings).unwrap());
        settings.set("timezone", Some(value)).unwrap();
    }
    let block = transaction.block.as_ref().unwrap();
    assert_eq!(block.locals.len(), 1);
    for index in 1..MAX_LOCALS {
        let name = format!("a.b{index}");
        assert!(transaction.set_local(&name, &settings).unwrap());
    }
    let error = transaction.set_local("a.b0", &settings).unwrap_err();
    assert_eq!(error.code(), Code::TooManyQueries);
    transaction.commit(&mut settings);
    assert_eq!(settings.time_zone(), "UTC");
}

#[test]
fn what_takes_effect_at_once_is_refused_and_names_autocommit() {
    let mut transaction = Transaction::default();
    transaction.begin(&Settings::default());
    let error = transaction.check_outside("CREATE USER").unwrap_err();
    assert_eq!(error.code(), Code::ActiveTransaction);
    assert!(error.hint().unwrap().contains("autocommit"));
}
