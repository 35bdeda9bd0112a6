package main

import (
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

type thing struct {
	ID    int32 `gorm:"primaryKey;autoIncrement:false"`
	Name  *string
	Price *float64
	At    *time.Time
}

func (thing) TableName() string { return "of_gorm.things" }

func gormClient() {
	works := func(capability string, check func()) { works("gorm", "gorm.io/gorm", capability, check) }
	silent := &gorm.Config{Logger: logger.Default.LogMode(logger.Silent)}
	db := value(gorm.Open(postgres.Open(dsn("admin", nil)), silent))
	works("TLS with certificate verification", func() { must(value(db.DB()).Ping()) })
	works("simple query", func() {
		var n int
		must(db.Raw("SELECT ?::int + 1", 41).Scan(&n).Error)
		same(n, 42)
	})
	works("parameters of all types", func() {
		var count int64
		must(db.Table("curated.orders").Where("order_date = ? AND quantity IN ?", "2024-05-05", []int{1, 2, 3}).Count(&count).Error)
		same(count > 0, true)
	})
	works("bulk load", func() {
		lakeTable("of_gorm", func() {
			one := "one"
			must(db.Create([]thing{{ID: 1, Name: &one, At: &at}, {ID: 2}}).Error)
			var found []thing
			must(db.Order("id DESC").Limit(1).Offset(1).Find(&found).Error)
			same([]any{len(found), found[0].ID, *found[0].Name, found[0].At.UTC()}, []any{1, int32(1), "one", at})
		})
	})
	works("transaction with rollback", func() {
		lakeTable("of_gorm", func() {
			problem := db.Transaction(func(transaction *gorm.DB) error {
				must(transaction.Create(&thing{ID: 1}).Error)
				return gorm.ErrInvalidData
			})
			same(problem, gorm.ErrInvalidData)
			var count int64
			must(db.Model(&thing{}).Count(&count).Error)
			same(count, int64(0))
		})
	})
	works("tables and columns", func() {
		lakeTable("of_gorm", func() {
			same(db.Migrator().HasTable("of_gorm.things"), true)
			same(db.Migrator().HasColumn(&thing{}, "price"), true)
			types := map[string]string{}
			for _, column := range value(db.Migrator().ColumnTypes(&thing{})) {
				types[column.Name()] = column.DatabaseTypeName()
			}
			same(types, map[string]string{"id": "int4", "name": "text", "price": "numeric", "at": "timestamp"})
		})
	})
	works("reading a result in pieces", func() {
		rows := value(db.Raw("SELECT x FROM generate_series(1, 1000) t(x)").Rows())
		seen := 0
		for rows.Next() {
			seen++
		}
		must(rows.Close())
		same(seen, 1000)
	})
}
